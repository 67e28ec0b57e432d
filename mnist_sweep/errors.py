"""Everything this program can complain about: one small family, one sentence each.

Each error becomes one short paragraph on the terminal: what was expected, what was found, where,
and what to do. The exit code is the one of `DESIGN`'s command line: 2 means that nothing was run.
"""

from __future__ import annotations


class MnistSweepError(Exception):
    """Something the person at the keyboard can put right; its text is all they see."""

    exit_code = 2


class UsageError(MnistSweepError):
    """The command line asks for something that does not exist or does not fit together."""


class SettingsError(MnistSweepError):
    """One or more settings are unknown, of the wrong type or out of range."""


class DataError(MnistSweepError):
    """A dataset is missing, damaged, mis-shaped or not the one that was promised."""


class ModelError(MnistSweepError):
    """A network cannot be built, or is not one this program can train."""


class DirectoryError(MnistSweepError):
    """A directory cannot be read or written, or holds something else than expected."""


class SelectionError(MnistSweepError):
    """A selection names an unknown metric or setting, or matches no record."""
