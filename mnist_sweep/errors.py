"""The errors of this program: one small family; and text made harmless for a terminal.

Each error becomes one short paragraph on the terminal: what was expected, what was found, where,
and what to do. Its exit code is 2, which means that nothing was run. Paths, settings and messages
of libraries may hold anything, so what a terminal would obey is written out.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

# For notebooks; paths and commands stay whole.
_WRAPPER = textwrap.TextWrapper(
    90, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)
# Unicode categories of what is not seen: controls, direction marks, surrogates.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def is_hidden(character: str) -> bool:
    """Whether a character is not seen, and may change how what is seen is shown."""
    return unicodedata.category(character) in _HIDDEN


def visible(text: str) -> str:
    """`text` on one line, with what cannot be seen written out: a line break as backslash n."""
    if text.isprintable():
        return text
    return "".join(
        one.encode("unicode_escape").decode("ascii") if is_hidden(one) else one for one in text
    )


def harmless(text: str) -> str:
    """`text` with its line breaks, and the rest of what cannot be seen written out."""
    return "\n".join(map(visible, text.split("\n")))


def listed(texts: Sequence[str], most: int, separator: str = "; ") -> str:
    """The first few texts, and how many more there are: 'a; b and 3 more'."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return separator.join(texts[:most]) + more


class MnistSweepError(Exception):
    """An error that the user can correct; its text is all that is shown."""

    exit_code = 2

    def __str__(self) -> str:
        return harmless(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: IPython calls this instead of printing a traceback."""
        # Jupyter breaks longer lines within words.
        lines = f"{type(self).__name__}: {self}".splitlines()
        return [_WRAPPER.fill(line) for line in lines]


class UsageError(MnistSweepError):
    """The command line asks for something that does not exist or does not fit together."""


class SettingsError(MnistSweepError):
    """Settings are unknown, of the wrong type or out of range.

    Args:
        text: The whole message.
        problems: One line for each setting that is wrong, where there are several.
    """

    def __init__(self, text: str, problems: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.problems = tuple(problems)


class DataError(MnistSweepError):
    """A dataset is missing, damaged, of the wrong shape, or not the expected one."""


class ModelError(MnistSweepError):
    """A network cannot be built, or cannot be trained by this program."""


class TaskError(MnistSweepError):
    """A task of the user's own cannot be called, or returns something that is no result."""


class DirectoryError(MnistSweepError):
    """A directory cannot be read or written, or does not hold what is expected."""


class SelectionError(MnistSweepError):
    """A selection names an unknown metric or setting, or matches no record."""
