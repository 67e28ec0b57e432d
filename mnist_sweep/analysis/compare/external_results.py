"""Directories that other programs wrote, read through a small mapping.

A plain Hydra multirun leaves one directory per job, and in it whatever the job wrote. A mapping
says which files are records (`*/results.json`) and where in them the metrics are
(`accuracy=metrics.test.acc`). Settings come from Hydra's own `.hydra/config.yaml` beside the file
or above it; without one, a run is told apart by its directory's name.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.sides import ComparedRun, Side
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.fields import flat_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_BYTES = 64 * 2**20
MOST_RECORDS = 100_000
_KEYS = ("record", "metrics", "lower_is_better", "seed")
_LOWER = re.compile(r"loss|err|perplexity|mse|mae|rmse|nll|_s$|seconds|time|latency", re.IGNORECASE)
"""Names of which less is better, unless the mapping says which are."""


@dataclass(frozen=True)
class Mapping:
    """How to read a directory that this program did not write.

    Attributes:
        record: Glob of the JSON files, relative to the directory.
        metrics: Name -> dotted path into the file; a number counts in a list, -1 is its last.
        lower_is_better: Metrics of which less is better; None guesses by name (loss, error, time).
        seed: The setting that is the seed.
    """

    record: str
    metrics: dict[str, str] = field(default_factory=dict)
    lower_is_better: tuple[str, ...] | None = None
    seed: str = "seed"

    @property
    def lower(self) -> frozenset[str]:
        """The metrics of which less is better."""
        if self.lower_is_better is not None:
            return frozenset(self.lower_is_better)
        return frozenset(name for name in self.metrics if _LOWER.search(name))


def mapping_of(record: str, metrics: Sequence[str]) -> Mapping:
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
    return _checked(Mapping(record, found))


def read_mapping(path: Path) -> Mapping:
    """A mapping from a YAML file with `record`, `metrics`, and perhaps the rest.

    Raises:
        UsageError: The file cannot be read or is not such a mapping.
    """
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"Expected a mapping (YAML) at {path}: {_one_line(error)}.") from error
    example = "record: '*/results.json', metrics: {accuracy: metrics.test.acc}"
    if not isinstance(value, dict) or not isinstance(value.get("record"), str):
        raise UsageError(f"Expected {path} to hold a mapping such as {example}; see --help.")
    unknown = [str(key) for key in value if key not in _KEYS]
    if unknown:
        raise UsageError(
            f"In {path}: no such key as {', '.join(unknown)}; known: {', '.join(_KEYS)}."
        )
    metrics, lower = value.get("metrics"), value.get("lower_is_better")
    if isinstance(metrics, list):
        metrics = {name: name for name in metrics if isinstance(name, str)}
    texts = isinstance(metrics, dict) and all(
        isinstance(part, str) for item in metrics.items() for part in item
    )
    if not texts or (lower is not None and not isinstance(lower, list)):
        raise UsageError(f"In {path}: metrics must be NAME: PATH, as in {example}.")
    lower_names = None if lower is None else tuple(map(str, lower))
    return _checked(
        Mapping(value["record"], dict(metrics or {}), lower_names, str(value.get("seed", "seed")))
    )


def load_foreign(directory: Path, mapping: Mapping) -> Side:
    """Read a directory through a mapping.

    Files that cannot be read, and metrics that are not there, are named and never fail the rest.

    Raises:
        DirectoryError: There is no such directory, no file matches, or none can be used.
    """
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
    if len(files) > MOST_RECORDS:
        raise DirectoryError(
            f"{mapping.record} matches {len(files):,} files in {directory}; at most "
            f"{MOST_RECORDS:,} are read. Narrow --record."
        )
    runs: list[ComparedRun] = []
    problems: list[str] = []
    for file in files:
        try:
            runs.append(_run(directory, file, mapping, problems))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{file}: {_one_line(error)}")
    if not runs:
        raise DirectoryError(
            f"None of {len(files)} files like {mapping.record} in {directory} can be used: "
            f"{'; '.join(problems[:3])}."
        )
    name = directory.name or str(directory)
    return Side(name, directory, "", tuple(runs), (), tuple(problems))


def _run(directory: Path, file: Path, mapping: Mapping, problems: list[str]) -> ComparedRun:
    value = _json(file)
    found: dict[str, float | None] = {}
    reasons = []
    for name, path in mapping.metrics.items():
        try:
            found[name] = _number(value, path)
        except ValueError as error:
            reasons.append(str(error))
    if not found:
        raise ValueError("; ".join(reasons))
    problems += [f"{file}: {reason}" for reason in reasons]
    label = file.parent.relative_to(directory).as_posix()
    settings = _settings(directory, file)
    seed = settings.pop(mapping.seed, None)
    return ComparedRun(
        label=label if label != "." else file.stem,
        seed=seed if isinstance(seed, int) else None,
        settings=settings or {"directory": label},
        data={},
        values=found,
        lower_is_better=mapping.lower,
    )


def _json(file: Path) -> Any:
    size = file.stat().st_size
    if size > LARGEST_BYTES:
        raise ValueError(f"{size:,} bytes is too large for a record")
    text = file.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    return json.loads(text)


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
            import yaml

            try:
                value = yaml.safe_load(config.read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise ValueError(f"{config} is not YAML: {_one_line(error)}") from error
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


def _checked(mapping: Mapping) -> Mapping:
    if not mapping.metrics:
        raise UsageError("A mapping needs a metric: --metric NAME=PATH, such as accuracy=test.acc.")
    pattern = mapping.record
    if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise UsageError(
            f"Expected --record as a glob inside the directory, such as '*/results.json', got "
            f"{pattern!r}."
        )
    return mapping


def _one_line(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return " ".join(str(error).split())[:300]
