"""`points` and `exclude`: sets of words in brackets, on the command line and in config files.

    points='[[layers=1,nodes=100],[layers=2,nodes=100,300]]'   a grid of each set, one after another
    exclude='[optimizer=adam,momentum>0]'                      a condition, all of whose parts hold
    exclude='[[layers=3,nodes>300],[seed=7]]'                  several

In a file a set may also be a text, `layers=1 nodes=100`, or a mapping.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString

from mnist_sweep.analysis.where import Condition, check_keys, parse
from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import known_keys
from mnist_sweep.sweeping.plan.overrides import bare, config_text

KEYS = ("points", "exclude")
MAX_NESTED = 20
"""Brackets at the start of a list that no command can mean."""
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_WORD = re.compile(r"[+~]*[A-Za-z_][\w./@-]*\s*[=<>!]|\s*\[")


def for_hydra(word: str) -> str:
    """A word with `points` or `exclude` as Hydra reads it: in its lists words with = are quoted."""
    key, _, value = word.partition("=")
    if bare(word) not in KEYS or not value.startswith("[") or not value.endswith("]"):
        return word
    if value.startswith("[" * MAX_NESTED):
        raise SettingsError(f"Expected lists of key=value in {key}, nested at most twice.")
    return f"{key}={_quoted(value)}"


def _quoted(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        return f"[{','.join(map(_quoted, _split(text[1:-1])))}]"
    if text.startswith(("{", "'", '"')):
        return text  # Hydra's own grammar
    return QuotedString(text, Quote.single).with_quotes()


def _split(text: str) -> list[str]:
    """At its commas, outside of brackets, before another word: `a=1,2,b=3` is `a=1,2` and `b=3`."""
    parts, depth = [""], 0
    for position, character in enumerate(text):
        depth += _BRACKETS.get(character, 0)
        if character == "," and not depth and _WORD.match(text, position + 1):
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def words_of(item: Any) -> list[str]:
    """The words of one set."""
    if isinstance(item, Mapping):
        return [f"{key}={config_text(value)}" for key, value in item.items()]
    if isinstance(item, str):
        return shlex.split(item)
    if isinstance(item, Sequence):
        return [str(word) for word in item]
    raise SettingsError(f"Expected a list or a text of key=value in points and exclude, not {item}")


def exclusions_of(raw: Sequence[Any] | None) -> dict[str, list[Condition]]:
    """Of each set of `exclude` its conditions, by its text; texts without a space are one set."""
    items = list(raw or ())
    if items and all(isinstance(item, str) and " " not in item for item in items):
        items = [items]
    found = {}
    for words in map(words_of, items):
        conditions = found[f"[{','.join(words)}]"] = parse(words)
        # What a network or a task of the user's own takes is not in the schema.
        settings = [one for one in conditions if not one.key.startswith(("model.", "task."))]
        check_keys(settings, [*known_keys(), "dataset.name", "trainer.name"])
    return found
