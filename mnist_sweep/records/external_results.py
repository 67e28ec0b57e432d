"""Directories that other programs wrote, read through a small mapping as a runs table.

A plain Hydra multirun leaves one directory per job, and in it whatever the job wrote. A mapping
says which JSON files are records (`*/results.json`) and where in them the metrics are
(`accuracy=metrics.test.acc`). Settings come from Hydra's own `.hydra/config.yaml` beside the file
or above it; without one, a run is identified by its directory's name.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from mnist_sweep.errors import DirectoryError, SelectionError, UsageError
from mnist_sweep.metrics import Metric, named_metric, resolve
from mnist_sweep.records.fields import flat_settings
from mnist_sweep.records.reading import reason
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import content, strict_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MAX_RECORDS = 100_000
_EXAMPLE = "record: '*/results.json', metrics: {accuracy: metrics.test.acc}"
COLUMNS = ("run_id", "configuration_id", "label", "status", "directory", "sweep")
"""Columns that are no settings; a setting of such a name becomes `config.NAME`."""


class ResultMapping(BaseModel):
    """How to read a directory that this program did not write.

    Attributes:
        record: Glob of the JSON files, relative to the directory.
        metrics: Name -> dotted path into the file; a number counts in a list, -1 is its last.
        lower_is_better: Metrics of which less is better; None guesses by name (loss, error, time).
        seed: The setting that is the seed.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    record: str
    metrics: dict[str, str]
    lower_is_better: list[str] | None = None
    seed: str = "seed"

    @field_validator("record")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        if not value or Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError(
                f"expected a glob inside the directory, such as '*/results.json', got {value!r}"
            )
        return value

    @field_validator("metrics", mode="before")
    @classmethod
    def _are_named(cls, value: Any) -> Any:
        found = {name: name for name in value} if isinstance(value, list) else value
        if not found:
            raise ValueError("expected at least one metric, such as accuracy=metrics.test.acc")
        return found

    def resolved(self, split: str) -> dict[str, Metric]:
        """Name -> the metric it means, measured on `split` unless its name says another one."""
        return {name: self._metric(name, split) for name in self.metrics}

    def _metric(self, name: str, split: str) -> Metric:
        if self.lower_is_better is not None:
            word = "lowest" if name in self.lower_is_better else "highest"
            return resolve(f"{word}:{name}", split)
        try:
            return resolve(name, split)
        except SelectionError:
            return named_metric(name, split)


def mapping_of(record: str, metrics: Sequence[str]) -> ResultMapping:
    """A mapping from the command line's words.

    Args:
        record: A glob.
        metrics: NAME=PATH each, or a PATH alone, which is its own name.

    Raises:
        UsageError: There is no metric, or one is given twice or malformed.
    """
    found: dict[str, str] = {}
    for word in metrics:
        name, equals, path = word.partition("=")
        name, path = name.strip(), (path if equals else name).strip()
        if not name or not path or name in found:
            raise UsageError(
                f"Expected --metric NAME=PATH, each name once, got {word!r}. "
                "For example: --metric test_acc=metrics.accuracy."
            )
        found[name] = path
    try:
        return ResultMapping(record=record, metrics=found)
    except ValidationError as error:
        raise UsageError(f"--record and --metric: {reason(error)}.") from error


def read_mapping(path: Path) -> ResultMapping:
    """A mapping from a YAML file with `record`, `metrics`, and perhaps the rest.

    Raises:
        UsageError: The file cannot be read or is not such a mapping.
    """
    try:
        return ResultMapping.model_validate(strict_yaml(path))
    except (OSError, ValueError) as error:
        found = " ".join(reason(error).split())
        raise UsageError(
            f"Expected a mapping (YAML) at {path}, such as {_EXAMPLE}: {found}."
        ) from error


def read_external_results(
    directory: Path, mapping: ResultMapping, split: str = "test"
) -> pd.DataFrame:
    """Read a directory through a mapping, as a runs table.

    A file that cannot be read becomes a row of status unreadable; `error.message` says why, also
    of a metric that is not in a file.

    Args:
        directory: The directory.
        mapping: How to read it.
        split: On which split its metrics were measured: their columns are `test.NAME`.

    Raises:
        DirectoryError: There is no such directory, no file matches, or none can be used.
    """
    import pandas as pd

    if not directory.is_dir():
        what = "it is a file" if directory.exists() else "there is no such directory"
        raise DirectoryError(f"Expected a directory at {directory}, but {what}. Name another.")
    files = sorted(path for path in directory.glob(mapping.record) if path.is_file())
    if not files:
        inside = ", ".join(sorted(child.name for child in directory.iterdir())[:5]) or "nothing"
        raise DirectoryError(
            f"Expected files like {mapping.record} in {directory}, but none matches; it holds "
            f"{inside}. Change --record."
        )
    if len(files) > MAX_RECORDS:
        raise DirectoryError(
            f"{mapping.record} matches {len(files):,} files in {directory}; at most "
            f"{MAX_RECORDS:,} are read. Narrow --record."
        )
    rows = [_row(directory, file, mapping, split) for file in files]
    if all(row["status"] == RunStatus.UNREADABLE for row in rows):
        reasons = "; ".join(f"{row['directory']}: {row['error.message']}" for row in rows[:3])
        raise DirectoryError(
            f"None of {len(files)} files like {mapping.record} in {directory} can be used: "
            f"{reasons}."
        )
    return pd.DataFrame(rows).assign(sweep=directory.name or str(directory))


def _row(directory: Path, file: Path, mapping: ResultMapping, split: str) -> dict[str, Any]:
    label = file.parent.relative_to(directory).as_posix()
    label = file.stem if label == "." else label
    about = {"run_id": _digest(str(file)), "label": label, "directory": str(file.parent)}
    try:
        values, reasons = _metrics(file, mapping, split)
        settings = _settings(directory, file)
    except (OSError, ValueError, RecursionError) as error:
        message = f"{file.name}: {' '.join(reason(error).split())}"
        return {**about, "status": str(RunStatus.UNREADABLE), "error.message": message}
    seed = settings.pop(mapping.seed, None)
    settings = settings or {"run_directory": label}
    return {
        **about,
        "configuration_id": _digest(json.dumps(settings, sort_keys=True, default=str)),
        "status": str(RunStatus.FINISHED),
        **{f"config.{k}" if k in COLUMNS else k: value for k, value in settings.items()},
        "seed": seed if isinstance(seed, int) else None,
        **values,
        "error.message": f"{file.name}: {'; '.join(reasons)}" if reasons else None,
    }


def _metrics(file: Path, mapping: ResultMapping, split: str) -> tuple[dict[str, float], list[str]]:
    """The metrics of a file by column, and why others are not there."""
    text = content(file)[0].decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    value = json.loads(text)
    metrics = mapping.resolved(split)
    found, reasons = {}, []
    for name, path in mapping.metrics.items():
        try:
            found[metrics[name].column] = _number(value, path)
        except ValueError as error:
            reasons.append(str(error))
    if not found:
        raise ValueError("; ".join(reasons))
    return found, reasons


def _number(value: Any, path: str) -> float:
    """The number at a dotted path.

    Raises:
        ValueError: There is none; the text says how far the path led.
    """
    # A key may have a dot of its own: "test.acc".
    whole = isinstance(value, dict) and path in value
    steps = [path] if whole else path.split(".")
    for index, step in enumerate(steps):
        value = _step(value, step, ".".join(steps[: index + 1]))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{path} is {type(value).__name__}, not a number")  # noqa: TRY004
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{path} is too large a number") from error
    if not math.isfinite(number):
        raise ValueError(f"{path} is {number}, which cannot be compared")
    return number


def _step(value: Any, step: str, so_far: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", step):
        if -len(value) <= int(step) < len(value):
            return value[int(step)]
        raise ValueError(f"no {so_far}: the list has {len(value)} entries")
    known = f"; there is {', '.join(map(str, list(value)[:8]))}" if isinstance(value, dict) else ""
    raise ValueError(f"no {so_far}{known}")


def _settings(directory: Path, file: Path) -> dict[str, Any]:
    """Flat settings of the nearest `.hydra/config.yaml`, from the file's directory upwards."""
    for place in (file.parent, *file.parent.parents):
        config = place / ".hydra" / "config.yaml"
        if config.is_file():
            try:
                value = strict_yaml(config)
            except ValueError as error:
                raise ValueError(f"{config}: {reason(error)}") from error
            if not isinstance(value, dict):
                return {}
            flat = flat_settings({str(k): v for k, v in value.items()})
            # A group called model gets a short name from flat_settings, which says nothing new.
            if isinstance(value.get("model"), dict):
                flat.pop("model", None)
            return flat
        if place == directory:
            break
    return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
