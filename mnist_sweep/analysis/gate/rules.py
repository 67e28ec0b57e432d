"""The gate's rules, as a small YAML file sets them.

    level: 0.95                      # chance that a rerun with other seeds passes
    all_finished: true               # every planned point has a finished run
    floors:                          # of each configuration's mean over its runs
      - test.accuracy >= 0.97
      - {rule: test.f1_min >= 0.9, where: layers=2}
      - parameters <= 1000000        # of what a whole run needs, too
    baseline:                        # not worse than the baseline, beyond the noise of seeds
      - test.accuracy
      - {metric: test.f1_min, tolerance: 0.01}
    ratios:                          # of the median over runs to the baseline's, at most
      time.train_s: 1.5
      environment.peak_memory_mb: 1.3

Left out, `baseline` is test accuracy without tolerance, or the objective of a task that returns
another; `floors` and `ratios` are empty. A task's own metric is named with its direction:
lowest:test.rmse. Rules that no result can break are refused: with them a gate would pass anything.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mnist_sweep.analysis.where import parse
from mnist_sweep.errors import SelectionError, UsageError
from mnist_sweep.metrics import HELD_OUT, Format, Metric, definitions, resolve
from mnist_sweep.records.paths import scalar
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import strict_yaml

MAX_LEVEL = 0.9999  # with a higher one the noise of seeds allows any drop
MAX_RATIO = 100.0
MAX_LOSS = 100.0  # a network that guesses among 10 classes has a loss of 2.3
_BOUND = re.compile(r"\s*((?:(?:lowest|highest):)?[A-Za-z0-9_.]+)\s*(>=|<=)\s*(\S+)\s*")
_LARGEST = {Format.PERCENT: 1.0, Format.SHARE: 1.0, Format.LOSS: MAX_LOSS, Format.NUMBER: math.inf}
# Kind of pydantic's error -> our words.
_EXPECTED = {
    "bool_type": "expected true or false",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "greater_than": "expected a number above {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "string_type": "expected text",
    "missing": "this key is missing",
}


class Strict(BaseModel):
    """A model of a file that anybody may edit: nothing unknown, no text for a number, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Floor(Strict):
    """A bound, from below or above, for each configuration for which `where` holds."""

    rule: str
    where: str | None = None

    @model_validator(mode="after")
    def _can_be_read(self) -> Floor:
        _bound(self.rule)
        try:
            parse([self.where] if self.where else [])
        except SelectionError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def bound(self) -> tuple[str, str, float]:
        """The metric's column, `>=` or `<=`, and the number."""
        return _bound(self.rule)

    @property
    def text(self) -> str:
        """The rule with its condition."""
        return f"{self.rule} where {self.where}" if self.where else self.rule


class Relative(Strict):
    """A metric that may not be worse than the baseline's by more than noise and `tolerance`."""

    metric: str
    tolerance: Annotated[float, Field(ge=0, strict=False)] = 0.0

    @model_validator(mode="after")
    def _can_fail(self) -> Relative:
        expected = "expected its split and name, as in test.accuracy, test.f1_min, validation.f1.8"
        try:
            found = self.resolved
        except SelectionError as error:
            raise ValueError(f"{error} ({expected})") from error
        if found.split not in HELD_OUT or found.column != self.metric.rpartition(":")[2]:
            raise ValueError(f"{self.metric!r}: {expected}")
        most = _LARGEST.get(found.format, MAX_LOSS)
        if self.tolerance >= most:
            raise ValueError(
                f"a tolerance of {self.tolerance:g} for {self.metric} allows any value; expected "
                f"less than {most:g}"
            )
        return self

    @property
    def resolved(self) -> Metric:
        """The metric."""
        return resolve(self.metric)


class Rules(Strict):
    """All rules of a gate."""

    level: Annotated[float, Field(ge=0.5, le=MAX_LEVEL)] = 0.95
    all_finished: bool = True
    floors: list[Floor] = []
    baseline: list[Relative] = [Relative(metric="test.accuracy")]
    ratios: dict[str, Annotated[float, Field(gt=0, le=MAX_RATIO, strict=False)]] = {}

    @field_validator("floors", "baseline", mode="before")
    @classmethod
    def _as_mappings(cls, value: Any, info: ValidationInfo) -> Any:
        key = "rule" if info.field_name == "floors" else "metric"
        values = [] if value is None else value if isinstance(value, list) else [value]
        return [{key: one} if isinstance(one, str) else one for one in values]

    @field_validator("ratios")
    @classmethod
    def _are_costs(cls, value: dict[str, float]) -> dict[str, float]:
        known = costs()
        unknown = [name for name in value if name not in known]
        if unknown:
            raise ValueError(f"no time or memory {unknown[0]!r}: known are {', '.join(known)}")
        return value

    @model_validator(mode="after")
    def _judges_something(self) -> Rules:
        if not (self.floors or self.baseline or self.ratios):
            raise ValueError("no rule judges a result: floors, baseline and ratios are all empty")
        names = [one.metric for one in self.baseline]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"baseline: {twice[0]} is listed twice")
        return self


def costs() -> list[str]:
    """Columns of what a whole run needs: times, memory, parameters, epochs."""
    return [one.name for one in definitions().values() if not one.splits]


def read_rules(path: Path) -> Rules:
    """Rules from a YAML file."""
    try:
        value = strict_yaml(path)
        return Rules.model_validate({} if value is None else value)
    except ValidationError as error:
        found = "; ".join(map(_words, error.errors()))
    except (OSError, ValueError) as error:
        found = " ".join(reason(error).split())
    raise UsageError(
        f"Expected the gate's rules (YAML) at {path}, but {found}. "
        "For example: floors: ['test.accuracy >= 0.97']."
    )


def _words(error: Any) -> str:
    """One of pydantic's errors as a short sentence: where, what was expected, what it is."""
    place = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        parts: dict[Any, type[Strict]] = {"floors": Floor, "baseline": Relative}
        known = parts.get(error["loc"][0], Rules).model_fields
        return f"{place}: no such key (known: {', '.join(known)})"
    text = _EXPECTED.get(error["type"], "").format_map(error.get("ctx", {}))
    text = f"{text}, got {error['input']!r:.80}" if text else error["msg"]
    return f"{place}: {text}".removeprefix(": ").replace("Value error, ", "")


def _bound(text: str) -> tuple[str, str, float]:
    """The metric's column, `>=` or `<=`, and the number, of `test.accuracy >= 0.97`."""
    found = _BOUND.fullmatch(text)
    example = "expected METRIC >= NUMBER, as in test.accuracy >= 0.97"
    if not found:
        raise ValueError(f"{text!r}: {example}")
    name, operator, right = found.groups()
    number = scalar(right)
    if type(number) not in (int, float):
        raise ValueError(f"{text!r}: {right} is not a number; {example}")
    try:
        metric = resolve(name, "test")
    except SelectionError as error:
        raise ValueError(f"{text!r}: {error}") from error
    most = _LARGEST.get(metric.format, math.inf)
    least = -math.inf if metric.format is Format.NUMBER else 0.0
    if number <= least if operator == ">=" else number >= most:
        raise ValueError(f"{text!r}: this holds for any value")
    return metric.column, operator, float(number)
