"""Overrides of a command line as Hydra reads them, and the grid of values that they describe."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    Override,
    Quote,
    QuotedString,
    RangeSweep,
    Transformer,
    ValueType,
)
from hydra.errors import OverrideParseException

from mnist_sweep.command import command
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import SETTINGS

_WORD = re.compile(r"[\w./-]+", re.ASCII)
GROUPS = ("data", "model", "trainer", "task", "experiment")
_WHOLE_ENDS = re.compile(
    r"^(?!.*\bfloat\().*\binterval\("
    r"\s*(?:start\s*=\s*)?[+-]?[\d_]+\s*,\s*(?:end\s*=\s*)?[+-]?[\d_]+\s*\)"
)
"""An interval whose ends are written as whole numbers; Hydra reads both as fractions."""


Axis = list[Override]
"""The values that one override gives its key, each as an override of its own."""


def parse(arguments: Iterable[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Hydra's own reading of overrides; its loader knows what `glob(*)` stands for."""
    return [_parsed(addable(text), loader) for text in arguments]


def addable(text: str) -> str:
    """An override of a task's setting as one that may add it: a function's own need no file."""
    return f"++{text}" if text.startswith("task.") else text


# Parsing takes milliseconds, and `app`, the sweeper and a study's stages read the same texts.
@lru_cache(maxsize=4096)
def _parsed(text: str, loader: ConfigLoader | None) -> Override:
    try:
        if not bare(text):
            raise OverrideParseException(text, "it has no key")  # noqa: TRY301
        (override,) = OverridesParser.create(loader).parse_overrides([text])
    except OverrideParseException as error:
        reason = ". ".join(line.strip() for line in str(error).splitlines()[:2])
        if "=" not in text:
            reason = "it has no =. Quote a value with spaces, as in 'data.path=\"/my data/x.csv\"'"
        raise UsageError(
            f"Cannot read {error.override!r}: {reason}. Expected key=value, as in layers=1,2; "
            f"`{command('--help')}` lists the keys and the subcommands."
        ) from error
    return override


def axes_of(overrides: Iterable[Override], max_points: int) -> list[Axis]:
    """The axes of a grid, in the order of the command line; the last one varies fastest."""
    given = latest(overrides)
    # Counted before they are expanded: a mistyped range may have more values than memory holds.
    sizes = [(size(override), override.get_key_element()) for override in given]
    product = " x ".join(f"{size} {key}" for size, key in sizes if size > 1)
    check_size(math.prod(size for size, _ in sizes), max_points, f" ({product})")
    return [axis_of(override) for override in given]


def check_size(n_points: int, max_points: int, product: str = "") -> None:
    """Refuse a grid of more points than are allowed."""
    if n_points > max_points:
        raise SettingsError(
            f"The grid has {n_points:,} points{product}, more than max_points={max_points:,}. "
            f"Make it smaller, or allow it with max_points={n_points}."
        )


def latest(overrides: Iterable[Override]) -> list[Override]:
    """Of several overrides of a key the last, at the place of the first."""
    # model=cnn chooses and model={filters: 8} sets: neither takes the other's place.
    found = {(one.get_key_element(), chooses_group(one)): one for one in overrides}
    return list(found.values())


def axis_of(override: Override) -> Axis:
    """Its values; of one that is not swept itself."""
    if not override.is_sweep_override():
        return [override]
    # Iterated once: shuffle() gives another order each time.
    return [with_value(override, value) for value in override.sweep_iterator()]


def with_value(override: Override, value: Any) -> Override:
    """The override with one value in place of a sweep's, without parsing it again."""
    text = f"{override.get_key_element()}={Transformer.str(value)}"
    return replace(override, _value=value, value_type=ValueType.ELEMENT, input_line=text)


def text_of(override: Override) -> str:
    """The override as it is written."""
    return str(override.input_line)


def size(override: Override) -> int:
    """How many values it has; of a range with a fraction as its step to within one."""
    if not override.is_sweep_override():
        return 1
    sweep: Any = override.value()
    if isinstance(sweep, RangeSweep):  # not iterated: range(0,1000000000000) would take for ever
        start, stop, step = (float(cast("Any", x)) for x in (sweep.start, sweep.stop, sweep.step))
        return max(0, math.ceil((stop - start) / step))
    return sum(1 for _ in override.sweep_iterator())


def interval_ends(override: Override) -> tuple[float, float]:
    """Both ends of an interval; whole numbers where its key takes no others.

    For a setting that is not in the schema, as of a user's own network, the spelling decides:
    `interval(8,64)` holds whole numbers, `interval(8.0,64)` all numbers between.
    """
    sweep, key = override.value(), override.key_or_group
    ends = cast("Any", sweep).start, cast("Any", sweep).end
    own = SETTINGS.get(key)
    whole = own.type is int if own else _WHOLE_ENDS.search(written(override))
    if whole and all(float(end).is_integer() for end in ends):
        return int(ends[0]), int(ends[1])
    return ends


def bare(text: str) -> str:
    """The key of an override that was not parsed, without +, ++, ~ and package."""
    return text.partition("=")[0].lstrip("+~").partition("@")[0]


def written(override: Override) -> str:
    """The value as it stands on the command line."""
    return str(override.input_line).partition("=")[2]


def replaced(texts: Iterable[str]) -> list[str]:
    """Of several overrides of one key the last counts; a line for each that does not."""
    seen: dict[tuple[str, bool], str] = {}
    found = []
    for text in texts:
        key = (bare(text), text.startswith("~") or "={" in text)  # as in `latest`
        if key in seen:
            found.append(f"{seen[key]} has no effect: it is replaced by a later {text}.")
        seen[key] = text
    return found


def hydra_text(value: Any, *, verbatim: bool = False) -> str:
    """A plain value in Hydra's grammar; text that is more than a word is quoted.

    With `verbatim` text is in Hydra's grammar already: `1,2`, `range(1,5)`.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        inner = (f"{key}:{hydra_text(one, verbatim=verbatim)}" for key, one in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(hydra_text(one, verbatim=verbatim) for one in value)}]"
    if verbatim or isinstance(value, (int, float)) or _WORD.fullmatch(str(value)):
        return str(value)
    return QuotedString(str(value), Quote.single).with_quotes()


def config_text(value: Any) -> str:
    """A config file's value as the command line has it: text as written, a list as a sweep."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return ",".join(hydra_text(one, verbatim=True) for one in (value if several else [value]))


def chooses_group(override: Override) -> bool:
    """Whether an override chooses a config group's file, and does not set a value."""
    key = override.key_or_group
    if "/" in key:
        return True
    # model={filters: 8} has the key of a group, and sets values of the choice that is made.
    return not isinstance(override.value(), dict) and (key in GROUPS or group_exists(override))


def group_exists(override: Override) -> bool:
    """Whether an override's key is a config group, one of the user's own too."""
    key, loader = override.key_or_group, override.config_loader
    return loader is not None and "." not in key and key not in SETTINGS and _exists(key, loader)


@lru_cache(maxsize=1024)
def _exists(group: str, loader: ConfigLoader) -> bool:
    try:
        return bool(loader.get_group_options(group))
    except OSError:  # a name too long for a file
        return False


def innermost(error: BaseException) -> BaseException:
    """The first cause, which tells more than what Hydra makes of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
