"""A TensorBoard folder: event files of a run, read by TensorBoard's own reader (an extra)."""

from __future__ import annotations

import re
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from mnist_sweep.errors import UsageError
from mnist_sweep.records.external.found import Found, FoundRun, flattened, split_and_name
from mnist_sweep.records.paths import scalar
from mnist_sweep.safe_files import strict_yaml

EVENTS = "events.out.tfevents.*"
MAX_DEPTH = 5
_START = "_hparams_/session_start_info"
# Folders that PyTorch's `add_hparams` makes below a run's.
_TIME = re.compile(r"[0-9]{9,11}\.[0-9]+")


def find(path: Path) -> list[Path]:
    """The folders with event files, at `path` and below."""
    found: set[Path] = set()
    for depth in range(MAX_DEPTH):
        with suppress(OSError):  # directories that cannot be read, or that vanish
            found.update(file.parent for file in path.glob("*/" * depth + EVENTS))
    return sorted(found)


def read(path: Path, folders: list[Path]) -> Found:
    """A run for each folder with event files; `train` and `validation` in one are its splits.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    # What TensorBoard looks for: it then does without TensorFlow, whose import takes seconds.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("notf"))
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{path} holds TensorBoard's event files, but TensorBoard is not installed: "
            "pip install 'mnist-sweep[tensorboard]'."
        ) from error
    found = Found("a TensorBoard folder")
    # PyTorch writes add_scalars and add_hparams into folders of their own: these are its run's too.
    runs: dict[str, FoundRun] = {}
    times = Counter(folder.parent for folder in folders if _TIME.fullmatch(folder.name))
    for folder in folders:
        relative = folder.relative_to(path).as_posix()
        parent, _, last = relative.rpartition("/")
        above = runs.get(parent or path.name)
        is_split = split_and_name(f"{last}/x", "")[0] != ""
        # 0 keeps all values; else a sample of 10,000 stands for them.
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        try:
            events.Reload()
            series = _series(events)
            groups = {tag: f"{tag.replace('/', '_')}_" for tag in series}
            is_group = bool(groups) and all(map(last.startswith, groups.values()))
            if is_split:
                series = {f"{last}/{tag}": values for tag, values in series.items()}
            elif is_group and above:  # of add_scalars(tag, {name: …}): tag_name/tag
                series = {f"{tag}/{last[len(groups[tag]) :]}": one for tag, one in series.items()}
            is_part = above and (is_group or (_TIME.fullmatch(last) and times[folder.parent] == 1))
            name = (parent or path.name) if is_split or is_part else relative
            run = runs.setdefault(name if name != "." else path.name, FoundRun(name, folder))
            for tag, points in series.items():
                run.add(tag, [value for _, value in sorted(points, key=lambda one: one[0])])
            run.settings |= _hyperparameters(events)
            with suppress(FileNotFoundError):  # Lightning's
                run.settings |= flattened(strict_yaml(folder / "hparams.yaml") or {})
        except Exception as error:  # noqa: BLE001  # whatever the reader makes of a damaged file
            found.problems.append((folder, f"{type(error).__name__}: {error}"[:200]))
    for name, run in runs.items():
        run.settings = run.settings or (_spelled(name) if run.metrics else {})
        run.failed = "" if run.metrics else "no scalar was found"
    # A folder of the experiment alone holds neither.
    found.runs = [run for run in runs.values() if run.metrics or run.settings]
    if not any(run.settings for run in found.runs):
        found.notes.append("there are no hyperparameters: runs are named by their folders")
    return found


def _series(events: Any) -> dict[str, list[tuple[int, float]]]:
    """The steps and values of each scalar, which TensorFlow 2 writes as tensors."""
    from tensorboard.util.tensor_util import make_ndarray

    tags = events.Tags()
    series = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        values = [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        if all(value.ndim == 0 and value.dtype.kind in "fiu" for _, value in values):
            series.setdefault(tag, []).extend((step, value.item()) for step, value in values)
    return {tag: points for tag, points in series.items() if not tag.startswith("_hparams_")}


def _hyperparameters(events: Any) -> dict[str, Any]:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    try:
        stored = events.PluginTagToContent("hparams")[_START]
    except KeyError:
        return {}
    values = HParamsPluginData.FromString(stored).session_start_info.hparams
    found = {}
    for name, value in values.items():
        kind = value.WhichOneof("kind")
        plain = getattr(value, kind) if kind else None
        # The protocol has only one type of number.
        if isinstance(plain, float) and plain.is_integer():
            plain = int(plain)
        found[str(name)] = plain
    return found


def _spelled(name: str) -> dict[str, Any]:
    """The settings that a folder's name spells: lr=0.1,seed=2."""
    pairs = [part.partition("=") for part in name.replace("/", ",").split(",")]
    return {key: scalar(value) for key, equals, value in pairs if equals}
