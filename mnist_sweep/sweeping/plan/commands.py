"""The commands of a sweep's directory: signed, noted in `sweep.json`, given again by `resume`.

Hydra imports and calls what a command names: builders, callbacks, other directories of config
files. So the commands of a directory that this user's own did not write may only set values and
choose what this package has, unless the user trusts them. Which ones the user gave, signatures
tell, by a key in the user's state directory and never in a sweep's: a directory that came from
elsewhere, or whose words were edited, has none that is valid.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import platformdirs

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import Git, Invocation
from mnist_sweep.settings import SWEEP_KEYS, Plain
from mnist_sweep.sweeping.context import Command
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.overrides import bare, hydra_text
from mnist_sweep.sweeping.plan.points import Plan

PLACE = ("hydra.sweep.dir", "hydra.run.dir", "hydra.mode")
_OLD = ("hydra.sweeper.single", "hydra.sweeper.same_data")
_DECIDES = ("study", "search", "points", "exclude")
_NUMBER = re.compile(r"[\d.]+|null|true|false")
KEY_BYTES = 32
_OWN_BUILDERS = ("mnist_sweep.training.model.mlp", "mnist_sweep.training.model.cnn")


def invocation_of(
    plan: Plan,
    words: tuple[str, ...],
    overrides: list[str],
    hydra: list[str],
    config: Plain,
    environment: Plain,
) -> Invocation:
    """A command as `sweep.json` has it."""
    versions = ("python", "tensorflow", "keras", "numpy", "hydra", "mnist_sweep")
    return Invocation(
        id=uuid4().hex,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        overrides=tuple(overrides),
        hydra_overrides=tuple(hydra),
        words=words,
        signature=signature(words),
        config=config,
        versions={key: environment[key] for key in versions},
        git=Git(sha=environment["git_sha"], dirty=environment["git_dirty"]),
        **directory.what_is_planned(plan),
    )


def commands_of(place: Path, changes: Sequence[str], *, trust: bool) -> list[Command]:
    """All commands that were given in a sweep's directory, each once, to be given there again.

    `changes` are overrides that replace those of the same key in each command, or are added, and
    with `trust` commands may name code although this user did not give them.
    """
    given = [one for one in directory.read(place).invocations if one.at]
    # Commands whose words differ only in what steers the runs are the same: the last one counts.
    found = {tuple(filter(_decides, _words(one))): one for one in given}
    if not found:
        raise DirectoryError(
            f"{place} holds no sweep to resume: expected {SweepPaths(place).sweep_json}. "
            "Name the directory of a sweep, as in outputs/NAME."
        )
    foreign = [one for one in found.values() if not is_signed(one.words, one.signature)]
    code = dict.fromkeys(text for one in foreign for text in _words(one) if _may_run_code(text))
    if code and not trust:
        raise UsageError(
            f"The commands in {SweepPaths(place).sweep_json} were not given by this user on this "
            f"machine, and may run code: {'; '.join(code)}. Nothing was run or changed. If you "
            "know where the directory comes from, repeat with --trust."
        )
    # Hydra's parser takes no surrogates, as the names of such files have them in Python.
    if any("\ud800" <= one <= "\udfff" for one in str(place.absolute())):
        raise UsageError(
            f"The name of {place.absolute()} is not UTF-8: rename the directory first."
        )
    changed = {bare(text) for text in changes}
    # The directory may have been moved or copied since: its runs stay where they are now.
    here = f"hydra.sweep.dir={hydra_text(str(place.absolute()))}"
    commands = []
    for one in found.values():
        kept = [text for text in _words(one) if bare(text) not in changed]
        commands.append(Command(("-m", *kept, *changes, here), repeats=one))
    return commands


def _words(one: Invocation) -> list[str]:
    """A command's words without its place; files of the first edition hold them in two parts."""
    words = one.words or (*one.overrides, *one.hydra_overrides)
    return [text for text in words if text != "-m" and not bare(text).startswith((*PLACE, *_OLD))]


def _decides(text: str) -> bool:
    """Whether a word may decide which runs there are, and does not only steer them."""
    top = bare(text).partition(".")[0]
    return top not in SWEEP_KEYS or top in _DECIDES


def _may_run_code(text: str) -> bool:
    """Whether a word does more than set a value, or choose a file of this package's `conf/`."""
    key, value = bare(text), text.partition("=")[2]
    if text.startswith("-") or "${" in text:
        return True
    if "_target_" in text:
        return key != "model._target_" or not set(value.split(",")) <= set(_OWN_BUILDERS)
    if key.startswith("hydra.launcher."):
        return not _NUMBER.fullmatch(value)
    if key.startswith("hydra.") and not key.startswith("hydra.sweeper."):
        return True
    # A choice of a config group, on its own or within points or a study, may name a file anywhere.
    is_path = key in ("data.path", "name") or key.startswith("model.")
    return not is_path and ("/" in value or "\\" in value)


def signature(words: Sequence[str]) -> str:
    """Of a command's words; empty where no key can be kept."""
    key = _signing_key()
    return hmac.new(key, "\0".join(words).encode(), hashlib.sha256).hexdigest() if key else ""


def is_signed(words: Sequence[str], signed: str) -> bool:
    """Whether this user gave a command."""
    # A signature of no words would cover whatever an edited file has in their place.
    return bool(words and signed) and hmac.compare_digest(
        signature(words).encode(), signed.encode()
    )


def _signing_key() -> bytes:
    path = platformdirs.user_state_path("mnist-sweep", appauthor=False) / "key"
    try:
        found = path.read_bytes() if path.exists() else b""
        if len(found) != KEY_BYTES:
            path.parent.mkdir(parents=True, exist_ok=True)
            if found:  # damaged
                path.unlink(missing_ok=True)
            _create_key(path)
            found = path.read_bytes()
    except OSError:
        return b""
    return found


def _create_key(path: Path) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        # Another process that has just made a key keeps it: what it signed must stay valid.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
