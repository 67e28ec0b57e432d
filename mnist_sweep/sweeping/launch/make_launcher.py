"""Make the launcher that `hydra/launcher` names: one of this program, of Hydra, or of the user."""

from __future__ import annotations

from typing import Any

from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig

from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.stock_launchers import StockLauncher


def make_launcher(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> SweepLauncher:
    """The launcher that a sweep's config names, ready to run jobs.

    Raises:
        UsageError: It cannot be imported or made, or is no launcher.
    """
    target = str(config.hydra.launcher._target_)
    found: Any
    # Hydra makes plugins of these two packages only, and finds them without an import.
    if target.startswith(("hydra_plugins.", "hydra._internal.")):
        found = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
    else:
        try:
            found = instantiate(config.hydra.launcher, _convert_="all")
        except HydraException as error:
            reason = " ".join(str(error).partition("\nfull_key")[0].split())
            raise UsageError(f"hydra.launcher._target_={target}: {reason}") from error
        if not isinstance(found, Launcher):
            raise UsageError(
                f"hydra.launcher._target_={target} makes a {type(found).__name__}: expected a "
                "launcher, a class derived from mnist_sweep.sweeping.launch.launcher.SweepLauncher."
            )
        found.setup(hydra_context=hydra_context, task_function=task_function, config=config)
    if isinstance(found, SweepLauncher):
        return found
    stock = StockLauncher(found)
    stock.setup(hydra_context=hydra_context, task_function=task_function, config=config)
    return stock
