"""The way into Hydra: arguments in, outcome out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from mnist_sweep.config import Plain
from mnist_sweep.sweeping import foreign, outcome, overrides, pool
from mnist_sweep.sweeping.directory import SINGLE

VERSION_BASE = "1.3"


def task(config: DictConfig) -> Plain:
    """The function Hydra's launchers call; importable, so that it crosses processes."""
    return foreign.task(config)


def run(arguments: list[str]) -> outcome.Outcome | None:
    """Do what Hydra's command line says.

    Args:
        arguments: Without the program's name.

    Returns:
        What came of a sweep; None where only help or a config was printed.

    Raises:
        MnistSweepError: Nothing was run.
        SystemExit: Hydra's own, after help and the like.
    """
    options = get_args_parser().parse_args(arguments)
    shows = options.cfg or options.help or options.hydra_help or options.info
    if not (shows or options.shell_completion):
        overrides.check(overrides.parse(options.overrides))
        pool.warm_up()
        if not options.multirun:
            arguments = [*arguments, SINGLE]
    main = hydra.main(
        config_path=overrides.conf_directory(), config_name="config", version_base=VERSION_BASE
    )(task)
    with _command_line(arguments), _raw_errors():
        main()
    return outcome.collect()


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    before, sys.argv = sys.argv, [sys.argv[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _raw_errors() -> Iterator[None]:
    """Have Hydra raise what went wrong; it would print it in its own way and exit with 1."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("HYDRA_FULL_ERROR", None)
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
