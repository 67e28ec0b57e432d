"""The gate's rules, as a small YAML file sets them.

    level: 0.95                      # chance that a rerun with other seeds passes
    all_finished: true               # every planned point has a finished run
    floors:                          # of each configuration's mean over its runs
      - test.accuracy >= 0.97
      - {rule: test.f1_min >= 0.9, where: layers=2}
    baseline:                        # not worse than the baseline, beyond the noise of seeds
      - test.accuracy
      - {metric: test.f1_min, tolerance: 0.01}
    ratios:                          # of the median over runs to the baseline's, at most
      time.train_s: 1.5
      environment.peak_memory_mb: 1.3

Left out, `baseline` is test accuracy without tolerance; `floors` and `ratios` are empty.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mnist_sweep.analysis.where import parse
from mnist_sweep.errors import SelectionError, UsageError
from mnist_sweep.metrics import HELD_OUT, Metric, definitions, resolve
from mnist_sweep.records.reading import reason

if TYPE_CHECKING:
    from pathlib import Path

_BOUND = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(>=|<=)\s*(\S+)\s*")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Floor(_Strict):
    """A bound on a metric of each configuration for which `where` holds."""

    rule: str
    where: str | None = None

    @field_validator("rule")
    @classmethod
    def _is_bound(cls, value: str) -> str:
        _bound(value)
        return value

    @field_validator("where")
    @classmethod
    def _is_condition(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse([value])
            except SelectionError as error:
                raise ValueError(str(error)) from error
        return value

    @property
    def bound(self) -> tuple[str, str, float]:
        """The metric's column, `>=` or `<=`, and the number."""
        return _bound(self.rule)

    @property
    def text(self) -> str:
        """The rule with its condition."""
        return f"{self.rule} where {self.where}" if self.where else self.rule


class Relative(_Strict):
    """A metric that may not be worse than the baseline's by more than noise and `tolerance`."""

    metric: str
    tolerance: Annotated[float, Field(ge=0, strict=False)] = 0.0

    @field_validator("metric")
    @classmethod
    def _is_metric(cls, value: str) -> str:
        expected = "expected its split and name, as in test.accuracy, test.f1_min, validation.f1.8"
        try:
            found = resolve(value)
        except SelectionError as error:
            raise ValueError(f"{error} ({expected})") from error
        if found.split not in HELD_OUT or found.column != value:
            raise ValueError(f"{value!r}: {expected}")
        return value

    @property
    def resolved(self) -> Metric:
        """The metric."""
        return resolve(self.metric)


class Rules(_Strict):
    """All rules of a gate."""

    level: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    all_finished: bool = True
    floors: list[Floor] = []
    baseline: list[Relative] = [Relative(metric="test.accuracy")]
    ratios: dict[str, Annotated[float, Field(gt=0, strict=False)]] = {}

    @field_validator("floors", mode="before")
    @classmethod
    def _floors(cls, value: Any) -> Any:
        return [{"rule": one} if isinstance(one, str) else one for one in _list(value)]

    @field_validator("baseline", mode="before")
    @classmethod
    def _relatives(cls, value: Any) -> Any:
        return [{"metric": one} if isinstance(one, str) else one for one in _list(value)]

    @field_validator("ratios")
    @classmethod
    def _are_costs(cls, value: dict[str, float]) -> dict[str, float]:
        known = costs()
        unknown = [name for name in value if name not in known]
        if unknown:
            raise ValueError(f"no time or memory {unknown[0]!r}: known are {', '.join(known)}")
        return value


def costs() -> list[str]:
    """Columns of what a whole run needs: times, memory, parameters, epochs."""
    return [one.name for one in definitions().values() if not one.splits]


def read_rules(path: Path) -> Rules:
    """Rules from a YAML file.

    Raises:
        UsageError: The file cannot be read, or a rule in it is wrong.
    """
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Rules.model_validate({} if value is None else value)
    except (ValidationError, OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        found = " ".join(reason(error).split())
    raise UsageError(
        f"Expected the gate's rules (YAML) at {path}, but {found}. "
        "For example: floors: ['test.accuracy >= 0.97']."
    )


def _bound(text: str) -> tuple[str, str, float]:
    found = _BOUND.fullmatch(text)
    example = "expected METRIC >= NUMBER, as in test.accuracy >= 0.97"
    if not found:
        raise ValueError(f"{text!r}: {example}")
    name, operator, right = found.groups()
    try:
        number = float(right)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r}: {right} is not a number; {example}")
    try:
        return resolve(name, "test").column, operator, number
    except SelectionError as error:
        raise ValueError(f"{text!r}: {error}") from error


def _list(value: Any) -> Any:
    return [] if value is None else value if isinstance(value, list) else [value]
