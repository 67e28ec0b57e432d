"""A TensorBoard folder: event files of a run, read by TensorBoard's own reader (an extra)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from mnist_sweep.errors import UsageError
from mnist_sweep.records.external.found import Found, FoundRun, number, split_and_name
from mnist_sweep.records.paths import scalar

EVENTS = "events.out.tfevents.*"
MAX_DEPTH = 5
_START = "_hparams_/session_start_info"


def recognises(path: Path) -> bool:
    """Whether there is an event file below."""
    return next(_files(path), None) is not None


def read(path: Path) -> Found:
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
    runs: dict[str, FoundRun] = {}
    for folder in sorted({file.parent for file in _files(path)}):
        relative = folder.relative_to(path).as_posix()
        parent, _, last = relative.rpartition("/")
        is_split = split_and_name(f"{last}/x", "")[0] != ""
        name = (parent or path.name) if is_split else relative
        run = runs.setdefault(name if name != "." else path.name, FoundRun(name, folder))
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
        try:
            events.Reload()
            _take(run, events, f"{last}/" if is_split else "")
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


def _files(path: Path) -> Iterator[Path]:
    for depth in range(MAX_DEPTH):
        with suppress(OSError):  # directories that cannot be read, or that vanish
            yield from path.glob("*/" * depth + EVENTS)


def _take(run: FoundRun, events: Any, prefix: str) -> None:
    from tensorboard.util.tensor_util import make_ndarray

    tags = events.Tags()
    series = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        values = [(event.step, make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        if all(value.ndim == 0 and value.dtype.kind in "fiu" for _, value in values):
            series.setdefault(tag, []).extend((step, value.item()) for step, value in values)
    for tag, points in series.items():
        numbers = [number(float(value)) for _, value in sorted(points, key=lambda one: one[0])]
        if numbers and numbers[-1] is not None and not tag.startswith("_hparams_"):
            run.metrics[f"{prefix}{tag}"] = numbers[-1]
            if len(numbers) > 1:
                run.history[f"{prefix}{tag}"] = numbers
    run.settings |= _hyperparameters(events)


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
        if isinstance(plain, float) and plain.is_integer():
            plain = int(plain)
        found[str(name)] = plain
    return found


def _spelled(name: str) -> dict[str, Any]:
    """The settings that a folder's name spells: lr=0.1,seed=2."""
    pairs = [part.partition("=") for part in name.replace("/", ",").split(",")]
    return {key: scalar(value) for key, equals, value in pairs if equals}
