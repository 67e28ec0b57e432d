"""The settings as text: for `--help`, and as the page docs/reference/settings.md."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
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
    for title, members in _sections():
        lines += ["", f"  {title}"]
        for one in members:
            words = f"{one.key}={_default(one)}".ljust(_KEY_WIDTH)
            choices = ", ".join(one.choices)
            listed = f": {choices}" if 0 < len(choices) <= MAX_CHOICES else ""
            condition = f" ({one.only_if})" if one.only_if else ""
            text = f"    {words} {one.help}{listed}{condition}"
            lines += textwrap.wrap(
                text, max(width, 2 * _KEY_WIDTH), subsequent_indent=" " * (_KEY_WIDTH + 5)
            )
    return "\n".join(lines[1:])


def page() -> str:
    """The reference page in Markdown."""
    parts = [_PAGE]
    for title, members in _sections():
        head = "| setting | default | values | | meaning |\n| --- | --- | --- | --- | --- |\n"
        parts.append(f"## {title}\n\n{head}" + "".join(_row(one) for one in members))
    return "\n".join(parts)


def _sections() -> Iterator[tuple[str, list[Setting]]]:
    ordered = sorted(SETTINGS.values(), key=lambda one: (one.scope != "run", "." in one.key))
    for title, members in groupby(ordered, key=_title):
        yield title, list(members)


def _title(one: Setting) -> str:
    top, dot, _ = one.key.partition(".")
    if not dot:
        return "A run" if one.scope == "run" else "The sweep"
    about = (NESTED[top].__doc__ or "").partition("\n")[0].rstrip(".")
    return f"{top}: {about[0].lower()}{about[1:]}"


def _default(one: Setting) -> str:
    if one.default == DEFAULT_NAME:
        return "DATE_TIME"
    if isinstance(one.default, bool):
        return str(one.default).lower()
    return "…" if one.type is dict else shown(one.default)


def _row(one: Setting) -> str:
    allowed = one.allowed + (", or null" if one.optional else "")
    notes = ["result"] if one.affects_result else []
    if one.only_if:
        notes.append(f"if {one.only_if}")
    return f"| `{one.key}` | {_default(one)} | {allowed} | {'; '.join(notes)} | {one.help} |\n"


if __name__ == "__main__":
    print(page(), end="")
