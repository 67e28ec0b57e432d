"""The way into Hydra: arguments in, outcome out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from omegaconf import DictConfig

from mnist_sweep.errors import UsageError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping import outcome
from mnist_sweep.sweeping.interrupts import sigterm_interrupts
from mnist_sweep.sweeping.launch import fork_server, stock_launchers
from mnist_sweep.sweeping.launch.on_ray import connection as ray_connection
from mnist_sweep.sweeping.plan import overrides
from mnist_sweep.sweeping.plan.directory import SINGLE

VERSION_BASE = "1.3"


def task(config: DictConfig) -> Plain:
    """The function Hydra's launchers call; importable, so that it crosses processes."""
    return stock_launchers.task(config)


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
    options, flags = _parse(arguments)
    arguments = [*options.overrides, *flags]
    shows = bool(
        options.cfg or options.help or options.hydra_help or options.info
        or options.shell_completion
    )  # fmt: skip
    if not shows:
        # Whether intervals are right here depends on the sweeper, which refuses them if not.
        overrides.check(overrides.parse(options.overrides), intervals=True)
        if not options.multirun:
            arguments = [SINGLE, *arguments]
    main = hydra.main(
        config_path=overrides.conf_directory(), config_name="config", version_base=VERSION_BASE
    )(task)
    with (
        sigterm_interrupts(), _own_processes(started=not shows),
        _command_line(arguments), _raw_errors(), _directory_importable(),
    ):  # fmt: skip
        main()
    return outcome.collect()


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Hydra's options, and those words that are no overrides; either may stand anywhere.

    Raises:
        UsageError: An option is unknown or lacks its value.
    """

    def refuse(message: str) -> NoReturn:
        raise UsageError(
            f"{message[0].upper()}{message[1:]}. `python -m mnist_sweep --help` tells what there "
            "is, `--hydra-help` tells Hydra's options."
        )

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]  # it would print a page and exit
    options = parser.parse_intermixed_args(arguments)
    if options.experimental_rerun:
        refuse(
            "--experimental-rerun unpickles a file, which may execute anything. To run a sweep "
            "again use `mnist-sweep resume DIR`"
        )
    overrides_left = list(options.overrides)
    flags = []
    for word in arguments:
        if overrides_left and word == overrides_left[0]:
            overrides_left.pop(0)
        else:
            flags.append(word)
    return options, flags


@contextmanager
def _directory_importable() -> Iterator[None]:
    """The working directory's modules, for `_target_`: as `python -m` has them, so the script."""
    here = str(Path.cwd())
    if here in sys.path or "" in sys.path:
        yield
        return
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


@contextmanager
def _own_processes(*, started: bool) -> Iterator[None]:
    """The fork server from here to the end of the block; other launchers start it if need be.

    What a launcher opened on a cluster is closed with it.
    """
    try:
        if started:
            fork_server.warm_up()
        yield
    finally:
        fork_server.cool_down()
        ray_connection.close()


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
