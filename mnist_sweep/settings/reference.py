"""The settings as text: for `--help`, and as the page docs/reference/settings.md."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from itertools import groupby

from mnist_sweep.settings.all_settings import NESTED, SETTINGS
from mnist_sweep.settings.schema import DEFAULT_NAME
from mnist_sweep.settings.setting import Setting, shown

MAX_CHOICES = 38
"""Characters of choices that the help screen still lists."""
_KEY_WIDTH = 33
_WIDTH = 99
_PAGE = """\
# Settings

This page lists every key that can be set on the command line or in a file in `conf/`. It is
generated from the schema (`mnist_sweep/settings/schema.py`) by `python -m
mnist_sweep.settings.reference`.

Settings marked *result* affect a run's result: they are part of the run id, and runs that differ in
one of them, except the seed, are different configurations. A setting marked *if* is used only under
this condition, and otherwise has no effect.
"""


def help_text() -> str:
    """Every setting in one line, with its default, for the help screen."""
    lines: list[str] = []
    width = min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDTH)
    indent = " " * (_KEY_WIDTH + 5)
    for title, members in _sections():
        lines += ["", f"  {title}"]
        for one in members:
            words = f"{one.key}={_default(one)}".ljust(_KEY_WIDTH)
            choices = ", ".join(one.choices)
            listed = f": {choices}" if 0 < len(choices) <= MAX_CHOICES else ""
            condition = f" ({one.only_if})" if one.only_if else ""
            text = f"    {words} {one.help}{listed}{condition}"
            lines += textwrap.wrap(text, max(width, 2 * _KEY_WIDTH), subsequent_indent=indent)
    return "\n".join(lines[1:])


def page() -> str:
    """The reference page in Markdown."""
    lines = [_PAGE]
    for title, members in _sections():
        lines += [f"## {title}", "", "| setting | default | values | | meaning |"]
        lines.append("| --- | --- | --- | --- | --- |")
        for one in members:
            allowed = one.allowed + (", or null" if one.optional else "")
            notes = ["result"] if one.affects_result else []
            notes += [f"if {one.only_if}"] if one.only_if else []
            cells = (f"`{one.key}`", _default(one), allowed, "; ".join(notes), one.help)
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _sections() -> Iterable[tuple[str, Iterable[Setting]]]:
    ordered = sorted(SETTINGS.values(), key=lambda one: (one.scope != "run", "." in one.key))
    return groupby(ordered, key=_title)


def _title(one: Setting) -> str:
    if one.key == one.top:
        return "A run" if one.scope == "run" else "The sweep"
    about = (NESTED[one.top].__doc__ or "").partition("\n")[0].rstrip(".")
    return f"{one.top}: {about[0].lower()}{about[1:]}"


def _default(one: Setting) -> str:
    if one.default == DEFAULT_NAME:
        return "DATE_TIME"
    if isinstance(one.default, bool):
        return str(one.default).lower()
    return "…" if one.type is dict else shown(one.default)


if __name__ == "__main__":
    print(page(), end="")
