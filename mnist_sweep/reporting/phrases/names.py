"""Names of networks, configurations and data, and why a run has no result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.varying import DATA, MODEL, SEED, SIZE, TARGET, TASK, TASK_TARGET, used
from mnist_sweep.metrics import Metric
from mnist_sweep.records.record import DataRecord
from mnist_sweep.records.table import RunsTable
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.settings import MLP_TARGET, SETTINGS

_TITLES = {
    "model._target_": "Network's function",
    "data._target_": "Data's function",
    "trainer.name": "Trainer",
    "data.name": "Data",
    "model": "Network",
}
LONGEST_NAME = 60
_MAX_VALUE = 24
_MAX_STATUS = 100
_MAX_NUMBER = 10
# Settings of a network of one's own that name it where none of them varies.
_SHOWN_OWN = 3


def setting_title(name: str) -> str:
    """A setting as a heading: 'Learning rate'; one of the user's own as it is written."""
    if name in _TITLES:
        return _TITLES[name]
    if name not in SETTINGS:
        return name
    words = name.replace(".", " ").replace("_", " ")
    return words[0].upper() + words[1:]


def network_name(settings: Mapping[str, Any], varying: Sequence[str] = ()) -> str:
    """'2 layers x 300 nodes, dropout=0.2'; of a network of one's own 'resnet, depth=18'."""
    parts: list[str] = []
    others = [name for name in varying if name in settings and name not in (TASK, MODEL, SEED)]
    others = [name for name in others if not name.startswith((f"{TASK}.", f"{MODEL}."))]
    # A task has no network, so its own settings name it in the same way.
    kind, called = (TASK, TASK_TARGET) if settings.get(TASK_TARGET) else (MODEL, TARGET)
    target = str(settings.get(called) or "")
    if kind == MODEL and target in ("", MLP_TARGET) and settings.get("layers") is not None:
        parts.append(size(settings["layers"], settings.get("nodes")))
        others = [name for name in others if name not in SIZE]
    elif settings.get(kind) or target:
        # Of many settings of its own those that differ are enough to tell it.
        own = [name for name in settings if name.startswith(f"{kind}.") and name != called]
        shown = [name for name in own if name in varying] or own[:_SHOWN_OWN]
        parts.append(str(settings.get(kind) or target.rpartition(".")[2]))
        parts += [f"{name.partition('.')[2]}={text_of(settings[name])}" for name in shown]
    for name in others:
        called = "data" if name in DATA else name.removesuffix(".sha256")
        value = str(settings[name])[:12] if name.endswith("sha256") else settings[name]
        parts.append(f"{called}={text_of(value)}")
    return visible(", ".join(parts))


def changed_settings(runs: RunsTable) -> list[str]:
    """The settings in which runs of one configuration differ from the defaults; [] of several."""
    if len(runs) == 0 or len(set(runs["configuration_id"])) > 1:
        return []
    found = []
    for name in runs.columns:
        if name not in SETTINGS or not SETTINGS[name].affects_result:
            continue
        if name in (SEED, MODEL, *SIZE) or name.startswith("data."):
            continue
        known = used(name, runs).dropna()
        if len(known) and known.iloc[0] != SETTINGS[name].default:
            found.append(name)
    return found


def size(layers: Any, nodes: Any) -> str:
    """'2 layers x 300 nodes'."""
    return f"{setting(layers)} layer{'' if layers == 1 else 's'} x {setting(nodes)} nodes"


def with_names(configurations: Sequence[Configuration]) -> list[Configuration]:
    """The configurations with their names; equal names are numbered."""
    # Shortened names may be equal where the settings are not; legends need different ones.
    seen: dict[str, int] = {}
    named = []
    for one in configurations:
        name = shortened(network_name(one.settings, one.varying) or one.key, LONGEST_NAME)
        seen[name] = seen.get(name, 0) + 1
        named.append(replace(one, name=name if seen[name] == 1 else f"{name} ({seen[name]})"))
    return named


def text_of(value: Any) -> str:
    """A setting's value as short text for a name, an axis or a legend; a drawn number rounded."""
    if isinstance(value, float) and len(repr(value)) > _MAX_NUMBER:
        value = float(f"{value:.4g}")
    return shortened(setting(value), _MAX_VALUE)


def data_name(name: str, notice: str | None) -> str:
    """'MNIST', or loudly that bundled digits stand in for it."""
    if name == "digits" and notice:
        return "bundled digits (NOT MNIST)"
    return "MNIST" if name == "mnist" else visible(name)


def extent(part: Sequence[object], whole: Sequence[object], by: Metric) -> str:
    """Which part is shown, 'the best and worst 12 of 40 by validation accuracy'; empty if all."""
    if len(part) == len(whole):
        return ""
    return f"the best and worst {len(part)} of {len(whole):,} by {by}"


def status_text(status: str, why: str) -> str:
    """A run's status with the reason, on one line: 'failed: MemoryError: out of memory'."""
    colon = "" if status == "pruned" else ":"  # pruned after epoch 3 of 20
    why = why.removeprefix(f"{status.capitalize()}: ")  # the error of what diverged is Diverged
    return shortened(visible(f"{status}{colon} {why}" if why else status), _MAX_STATUS)


def repeats_reason(finished: int, total: int, others: Iterable[tuple[int | None, str, str]]) -> str:
    """'2 of 3 runs finished; seed 2 failed: MemoryError', of a configuration."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for seed, status, why in others:
        seeds.setdefault((status, why), []).append("?" if seed is None else str(seed))
    reasons = "; ".join(f"seed {', '.join(own)} {s}: {why}" for (s, why), own in seeds.items())
    return f"{finished} of {total} runs finished; {reasons}"


def class_word(data: str, *, plural: bool = False) -> str:
    """What a class of the data is called: digit or class."""
    if data in ("mnist", "digits"):
        return "digits" if plural else "digit"
    return "classes" if plural else "class"


def class_name(data: DataRecord, label: int) -> str:
    """What a class is called: its name where the data have names, else its number."""
    names = data.class_names
    return shortened(visible(names[label]), _MAX_VALUE) if label < len(names) else str(label)
