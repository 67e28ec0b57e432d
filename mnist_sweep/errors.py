"""The errors of this program: one small family.

Each becomes one short paragraph on the terminal: what was expected, what was found, where, and what
to do. Its exit code is 2, which means that nothing was run.
"""

from __future__ import annotations

from collections.abc import Sequence


class MnistSweepError(Exception):
    """An error that the user can correct; its text is all that is shown."""

    exit_code = 2


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


class DirectoryError(MnistSweepError):
    """A directory cannot be read or written, or does not hold what is expected."""


class SelectionError(MnistSweepError):
    """A selection names an unknown metric or setting, or matches no record."""
