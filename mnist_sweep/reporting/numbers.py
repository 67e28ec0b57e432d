"""How numbers are written: as many digits as tell networks apart, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

from mnist_sweep.metrics import Format
from mnist_sweep.reporting.escape import visible

UNITS = {Format.SECONDS: "s", Format.PERCENT: "%"}
# Stands where there is no value.
NOTHING = "—"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def written(value: Any, style: Format) -> str:
    """`value` (a plain value; None is a dash) as text in `style`."""
    if value is None and style is not Format.SETTING:
        return NOTHING
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _WRITERS[style](value)
    return setting(value)


def written_all(values: Sequence[Any], style: Format) -> list[str]:
    """Each value as `written` writes it; a whole column takes half the time."""
    kinds = {*map(type, values)} - {NoneType}
    if kinds == {float}:
        writer, nothing = _WRITERS[style], written(None, style)
        return [nothing if value is None else writer(value) for value in values]
    if kinds in ({int}, {str}):  # of settings there are few different ones
        distinct = {value: written(value, style) for value in {*values}}
        return [distinct[value] for value in values]
    return [written(value, style) for value in values]


def with_spread(mean: float, spread: float, style: Format) -> str:
    """A mean with its standard deviation to the mean's own digit: '97.43 ± 0.12'."""
    text = written(mean, style)
    if "e" in text:
        return f"{text} {PLUS_MINUS} {spread:.1e}"
    shown = 100 * spread if style is Format.PERCENT else spread
    decimals = len(text.partition(".")[2])
    return f"{text} {PLUS_MINUS} {shown:,.{decimals}f}"


def three_digits(value: float) -> str:
    """Three significant digits, whole numbers in full: 0.0123, 1.23, 12.3, 123, 1,234."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.01:
        return f"{value:.3g}"
    decimals = 2 if abs(value) >= 1 else 3 if abs(value) >= 0.1 else 4
    text = f"{value:.{decimals}f}"
    return f"{value:.1f}" if abs(float(text)) >= 10 else text


def duration(seconds: float) -> str:
    """Seconds as people say them: 8 s, 1 min 5 s, 2 h 3 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def setting(value: Any) -> str:
    """A setting as it is written on the command line: null, true, 0.001, adam."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12g}"  # range(0.1,0.5,0.1) has 0.30000000000000004
    return visible(str(value))


def loss(value: float) -> str:
    """Three significant digits, below a thousandth in scientific form: 0.0123, 9.78e-04."""
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else three_digits(value)


def count(value: float) -> str:
    """A whole number with separators, a mean of such with one digit: 123,456, 12.5."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value == value // 1 else f"{value:,.1f}"


_WRITERS: dict[Format, Callable[[float], str]] = {
    Format.SETTING: setting,
    Format.SECONDS: three_digits,
    Format.LOSS: loss,
    Format.PERCENT: lambda value: f"{100 * value:.2f}",
    Format.SHARE: lambda value: f"{value:.4f}",
    Format.NUMBER: lambda value: f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}",
    Format.COUNT: count,
}
