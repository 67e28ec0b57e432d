"""`python -m mnist_sweep [-m] …`: runs a sweep, or prints what Hydra's options ask for."""

from __future__ import annotations

import difflib

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.cli.preview import preview_lines
from mnist_sweep.cli.sweep_summary import show
from mnist_sweep.errors import SettingsError
from mnist_sweep.reporting import preimport
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.plan.preview import Preview


def sweep(words: list[str], context: SweepContext) -> int:
    """Run what Hydra's command line asks for; returns the exit code.

    Raises:
        MnistSweepError: Nothing was run.
    """
    context.while_waiting(preimport.start)
    try:
        result = app.run(words, context)
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(_reason(error)) from error
    if result is None:
        return 0
    if isinstance(result, Preview):
        print("\n".join(preview_lines(result)))
        return 0
    return show(result)


def _reason(error: BaseException) -> str:
    """The innermost cause's words, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_choice(error.missing_cfg_file, list(error.options or []))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    key = getattr(error, "full_key", None)
    if key:  # OmegaConf's: its further lines name classes of ours
        return f"{key}: {lines[0]}. `python -m mnist_sweep --help` lists what can be set."
    return " ".join(lines)


def _no_choice(name: str, options: list[str]) -> str:
    """What to say of `model=nosuch`; `name` is model/nosuch."""
    group, _, choice = name.rpartition("/")
    if not group:
        return f"There is no configuration {choice!r}: expected {choice}.yaml in conf/."
    if group == "hydra/launcher" and choice.startswith("submitit"):
        return f"{group}={choice} needs a plugin: pip install 'mnist-sweep[slurm]'."
    close = difflib.get_close_matches(choice, options, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(options) or 'none'}."
    return (
        f"{group}={choice}: no such choice; {hint} A file of your own is found as "
        f"{group}/{choice}.yaml in the directory that --config-dir names."
    )
