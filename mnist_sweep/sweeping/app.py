"""Into Hydra and out again: the words of a command line in, the sweep's result out.

The only module that uses Hydra's internals: `hydra.main` reads `sys.argv`, prints errors itself and
drops what the sweeper returns, while `Hydra.multirun` takes the words and returns the sweeper's
result (hydra-zen's `launch` uses it for the same reason).
"""

from __future__ import annotations

import argparse
import codecs
import difflib
import itertools
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import hydra
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.command import command, conf_directory
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.records.plan_file import Invocation
from mnist_sweep.sweeping.context import Command, SweepContext
from mnist_sweep.sweeping.launch import stock_launchers
from mnist_sweep.sweeping.plan import checks, overrides
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.plan.sets import for_hydra
from mnist_sweep.sweeping.result import SweepResult

DEFAULT_CONFIG = "config"
DEFAULTS = {"sweeper": "grid", "launcher": "pool"}
NO_SWEEPER = "Expected hydra/sweeper=grid or search; other sweepers are not supported."
MAX_FILES = 1000
"""Of a directory of config files that are looked at before Hydra reads them."""


def run(
    arguments: Sequence[str],
    context: SweepContext | None = None,
    repeats: Invocation | None = None,
) -> SweepResult | Preview | None:
    """Do what Hydra's command line says; `arguments` are without the program's name.

    Returns:
        The result of a sweep, or with `plan=true` what it would run; None where only help, a config
        or the like was printed.

    Raises:
        MnistSweepError: Nothing was run, also where Hydra cannot compose the config.
    """
    try:
        return _enter(list(arguments), context, repeats)
    except (HydraException, OmegaConfBaseException) as error:
        raise SettingsError(_reason(error)) from error
    except RuntimeError as error:
        if "Invalid plugin" not in str(error):
            raise
        raise UsageError(NO_SWEEPER) from error


def _enter(
    arguments: list[str], context: SweepContext | None, repeats: Invocation | None
) -> SweepResult | Preview | None:
    parser = _Parser(parents=[get_args_parser()], add_help=False)
    options = _read(parser, arguments)
    config = options.config_name or DEFAULT_CONFIG
    prints = ("cfg", "help", "hydra_help", "info", "shell_completion")
    if any(getattr(options, name) for name in prints):
        with _hydra(options) as prepared:
            _print(prepared, parser, options, config)
        return None
    with (
        nullcontext(context) if context else SweepContext() as active,
        _directory_importable(), _hydra(options) as prepared,
    ):  # fmt: skip
        # Before Hydra composes, which stops at the first mistake. Whether intervals are allowed
        # depends on the sweeper, which refuses them if not.
        parsed = overrides.parse(options.overrides, prepared.config_loader)
        checks.check(parsed, intervals=True)
        active.command = Command(_whole(options), single=not options.multirun, repeats=repeats)
        active.start_processes(options.overrides)
        given = [*map(overrides.addable, options.overrides)]
        result = prepared.multirun(
            config, stock_launchers.task, given,
            with_log_configuration=not HydraConfig.initialized(),  # another program's stays
        )  # fmt: skip
    # A sweeper of another program ran nothing of ours: no record, no plan, no summary.
    if not isinstance(result, (SweepResult, Preview)):
        raise UsageError(NO_SWEEPER)
    return result


def _whole(options: argparse.Namespace) -> tuple[str, ...]:
    """The whole command, as it means the same from another working directory."""
    named = {
        "config-name": options.config_name,
        "config-path": options.config_path and _absolute(options.config_path),
        "config-dir": options.config_dir and _absolute(options.config_dir),
    }
    flags = ["-m"] if options.multirun else []
    flags += [f"--{key}={value}" for key, value in named.items() if value]
    return (*flags, *options.overrides)


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


class _Parser(argparse.ArgumentParser):
    """Hydra's options; raises where argparse would print a page and exit."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{message[0].upper()}{message[1:]}. `{command('--help')}` lists what can be set, "
            "`--hydra-help` lists Hydra's options."
        )


def _read(parser: _Parser, arguments: list[str]) -> argparse.Namespace:
    """Options and overrides, which may stand in any order."""
    options = parser.parse_intermixed_args(arguments)
    options.overrides = [for_hydra(text) for text in options.overrides]
    if options.experimental_rerun:
        parser.error(
            "--experimental-rerun unpickles a file, which may execute anything. To run a sweep "
            f"again use `{command('resume', 'DIR')}`"
        )
    commands = ("run", "multirun", "cfg", "info", "shell_completion")
    if sum(bool(getattr(options, command)) for command in commands) > 1:
        parser.error("choose one of --run, --multirun, --cfg, --info and --shell-completion")
    if options.resolve and not (options.cfg or options.help):
        parser.error("--resolve goes with --cfg or --help")
    return options


def _print(prepared: Hydra, parser: _Parser, options: argparse.Namespace, config: str) -> None:
    if options.help:
        prepared.app_help(config, parser, options)
    elif options.hydra_help:
        prepared.hydra_help(config, parser, options)
    elif options.cfg:
        prepared.show_cfg(
            config, options.overrides, options.cfg, options.package, resolve=options.resolve
        )
    elif options.info:
        prepared.show_info(options.info, config, options.overrides)
    else:
        try:
            prepared.shell_completion(config, options.overrides)
        except ValueError as error:  # no shell is named, or an unknown one
            parser.error(str(error))


@contextmanager
def _hydra(options: argparse.Namespace) -> Iterator[Hydra]:
    """Hydra, with its search path and its global state set until the end of the block."""
    if hydra.__version__.startswith("1.3."):
        version.setbase("1.3")  # 1.4 behaves in one way only, and warns where one is chosen
    search_path = create_config_search_path(_absolute(options.config_path or str(conf_directory())))
    if options.config_dir is not None:
        directory = Path(options.config_dir).absolute()
        if not directory.is_dir():
            raise UsageError(f"--config-dir={directory}: not found, or not a directory.")
        _check_marks(directory)
        search_path.prepend(
            provider="command-line", path=f"file://{directory}",
            anchor=SearchPathQuery(provider="schema"),
        )  # fmt: skip
    state, of_job = GlobalHydra.instance(), HydraConfig.instance()
    before = state.hydra, of_job.cfg  # a caller's own: a notebook's, or another program's
    defaults = ConfigStore.instance().repo["hydra"]["config.yaml"].node.defaults
    hydras = [dict(one) for one in defaults]
    state.clear()
    try:
        # Not in config.yaml, whose choice would win over one in the defaults of an experiment.
        for one in defaults:
            one.update({group: DEFAULTS[group] for group in one if group in DEFAULTS})
        yield Hydra.create_main_hydra2("mnist_sweep", search_path)
    finally:
        defaults[:] = hydras
        state.clear()
        of_job.cfg = before[1]
        if before[0] is not None:
            state.initialize(before[0])


def _check_marks(directory: Path) -> None:
    # Hydra does not see the header of a file that begins with a byte order mark.
    for path in itertools.islice(directory.rglob("*.yaml"), MAX_FILES):
        with path.open("rb") as file:
            if file.read(3) == codecs.BOM_UTF8:
                raise UsageError(
                    f"{path} begins with a byte order mark (BOM), which Hydra does not read: save "
                    "it as UTF-8 without one."
                )


@contextmanager
def _directory_importable() -> Iterator[None]:
    """Find `_target_`s in the working directory, also from the script, as `python -m` does."""
    here = str(Path.cwd())
    added = not {here, ""} & {*sys.path}
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)


def _reason(error: BaseException) -> str:
    """The innermost cause's words, on one line."""
    error = overrides.innermost(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_choice(error.missing_cfg_file, list(error.options or []))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    key = getattr(error, "full_key", None)
    if key:  # OmegaConf's: its further lines name classes of ours
        return f"{key}: {lines[0]}. `{command('--help')}` lists what can be set."
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
