"""Numbers in words: values with their unit, differences, intervals and what they cover."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_sweep.analysis.statistics import Covers, Difference, Interval
from mnist_sweep.metrics import Format, Metric, resolve
from mnist_sweep.reporting.numbers import with_spread, written

_UNITS = {Format.PERCENT: " %", Format.SECONDS: " s"}


def metric_title(metric: Metric) -> str:
    """A metric in a sentence: 'validation lowest F1', 'test F1 of class 8', 'training time'."""
    own = metric.definition.title
    own = own if own.isupper() else own[0].lower() + own[1:]  # F1 stays F1
    of = "" if metric.class_index is None else f" of class {metric.class_index}"
    return f"{metric.split or ''} {own}{of}".lstrip()


def amount(metric: Metric, value: float, std: float | None = None) -> str:
    """A metric's value with its unit: '97.43 %', '0.9743', '14.2 s', '97.43 ± 0.12 %'."""
    text = written(value, metric.format)
    if std is not None:
        text = with_spread(value, std, metric.format)
    return text + _UNITS.get(metric.format, "")


def amount_of_runs(metric: Metric, values: Sequence[float], mean: float) -> str:
    """A configuration's value with its standard deviation, if it has repeats."""
    if len(values) < 2:  # one run has no standard deviation
        return amount(metric, mean)
    from statistics import stdev

    return amount(metric, mean, stdev(values))


def change(metric: str | Metric, value: float) -> str:
    """A metric's difference: '+0.21 points' of a percentage, '+0.0021' of others."""
    factor, digits, unit = _scale(metric, " points")
    return f"{factor * value:+{digits}}{unit}"


def ends(metric: str | Metric, low: float, high: float, *, signed: bool = False) -> str:
    """Two ends of an interval: '97.20 to 97.66 %', '-0.05 to +0.47 points'."""
    factor, digits, unit = _scale(metric, " points" if signed else " %")
    sign = "+" if signed else ""
    return " to ".join(f"{factor * end:{sign}{digits}}" for end in (low, high)) + unit


def brackets(metric: str | Metric, low: float, high: float) -> str:
    """The interval of a difference, for the middle of a sentence: '[-0.05, +0.47]'."""
    factor, digits, _ = _scale(metric, "")
    return f"[{factor * low:+{digits}}, {factor * high:+{digits}}]"


def interval(metric: str | Metric, found: Interval) -> str:
    """'95 % interval 97.20 to 97.66 % (covers examples and seeds)'."""
    text = f"{100 * found.level:g} % interval {ends(metric, found.low, found.high)}"
    return f"{text} ({coverage(found.covers)})"


def difference(found: Difference, p: float | None = None) -> str:
    """'95 % interval -0.05 to +0.47 points, p = 0.11 (covers examples and seeds)'."""
    span = ends(found.metric, found.low, found.high, signed=True)
    shown = found.p_value if p is None else p
    tested = "" if shown is None else f", p {p_value(shown)}"
    return f"{100 * found.level:g} % interval {span}{tested} ({coverage(found.covers)})"


def margin(metric: str | Metric, value: float) -> str:
    """The largest difference that counts as none: '0.2 points' of a percentage, '0.002'."""
    factor, _, unit = _scale(metric, " points")
    return f"{factor * value:g}{unit}"


def not_distinguishable(found: Difference) -> str:
    """'not distinguishable, equivalent within 0.2 points' or 'not distinguishable (undecided)'."""
    if found.equivalent and found.margin is not None:
        return f"not distinguishable, equivalent within {margin(found.metric, found.margin)}"
    # The interval is of this test alone, and may leave out 0 where the corrected p is not small.
    why = ", as one of many tests may differ by chance" if found.low * found.high > 0 else ""
    return f"not distinguishable{why} (undecided)"


def coverage(covers: str) -> str:
    """What an interval covers."""
    return {
        str(Covers.IMAGES_AND_SEEDS): "covers examples and seeds",
        str(Covers.SEEDS): "covers seeds, not examples",
    }.get(covers, "this run, other examples; not seeds")


def counted(number: int, noun: str) -> str:
    """'1 run', '1,200 runs'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def runs(count: int) -> str:
    """'one run', 'mean of 5 runs'."""
    return "one run" if count == 1 else f"mean of {count} runs"


def p_value(value: float) -> str:
    """'= 0.031', '< 0.001'."""
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def chance(probability: float) -> str:
    """'P = 0.62'; never 0 or 1, which no resampling can show."""
    if probability > 0.995:
        return "P > 0.99"
    return "P < 0.01" if probability < 0.005 else f"P = {probability:.2f}"


def _scale(metric: str | Metric, unit: str) -> tuple[int, str, str]:
    """By what values are multiplied to be shown, their digits, and the unit of a percentage."""
    if isinstance(metric, str):
        metric = resolve(metric, measured=[f"validation.{metric}"])
    if metric.format is Format.PERCENT:
        return 100, ".2f", unit
    return 1, ".4g" if metric.format is Format.NUMBER else ".4f", ""
