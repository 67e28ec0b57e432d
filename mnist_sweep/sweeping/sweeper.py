"""`hydra/sweeper=grid`: Hydra's side of a sweep over a grid.

It expands the grid, checks every point before any runs, drops duplicates, skips what is done and
hands the rest to the launcher. Its result covers all points, also where the sweep is interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from mnist_sweep import settings as schema
from mnist_sweep.data import prepare
from mnist_sweep.errors import UsageError
from mnist_sweep.settings import Plain
from mnist_sweep.settings.reference import help_text
from mnist_sweep.sweeping import sweep
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.stock_launchers import StockLauncher, make_launcher
from mnist_sweep.sweeping.plan import sets
from mnist_sweep.sweeping.plan.checks import check_honoured, check_secrets
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.plan.overrides import bare, config_text, replaced
from mnist_sweep.sweeping.plan.points import Plan, make_plan
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.study import study
from mnist_sweep.sweeping.sweep import SweepRequest


@dataclass
class SweeperConf:
    """A sweeper's config node; of both keys those of the command line win."""

    _target_: str
    # Overrides a config file sweeps over; of a search its space.
    params: dict[str, Any] | None = field(default_factory=dict)
    # Sets of overrides, each of which makes points of its own, for sweeps that are no plain product
    # ("layers=2 nodes=300").
    points: list[str] | None = None


_STORE = ConfigStore.instance()
for _name, _class in (("grid", "GridSweeper"), ("search", "SearchSweeper")):
    _node = SweeperConf(f"hydra_plugins.mnist_sweep.{_class}")
    _STORE.store(group="hydra/sweeper", name=_name, node=_node, provider="mnist_sweep")
_STORE.store(name="settings_schema", node=schema.Settings, provider="mnist_sweep")
OmegaConf.register_new_resolver("settings_help", help_text, replace=True)


class GridSweeper(Sweeper):
    """Runs every point of a grid once."""

    def __init__(self, params: Plain | None = None, points: Sequence[str] | None = None) -> None:
        self._params = dict(params or {})
        self._points = list(points or [])
        self.config: DictConfig | None = None
        self.launcher: SweepLauncher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra gives, and make the launcher."""
        self.hydra_context = hydra_context
        self.config = config
        HydraConfig.instance().set_config(config)  # ${hydra:…} may stand in any setting
        check_secrets(config)
        self.launcher = make_launcher(hydra_context, task_function, config)
        check_honoured(config.hydra, stock=isinstance(self.launcher, StockLauncher))

    def sweep(self, arguments: list[str]) -> SweepResult | Preview:
        """Run what the command line's overrides ask for.

        Raises:
            MnistSweepError: Nothing was run: settings, data or directory are not right.
        """
        if self.config is None or self.hydra_context is None or self.launcher is None:
            raise UsageError("The sweep was started before Hydra set it up.")
        started = time.monotonic()
        loader = self.hydra_context.config_loader
        request = SweepRequest(self.launcher, self.config, loader, self._overrides(arguments))
        sweep.check_leaving(request)  # before anything is prepared or downloaded
        found = self.run(request)
        found.plan.remarks[:0] = replaced(request.command.words)
        if isinstance(found, SweepResult):
            found.wall_s = time.monotonic() - started  # with planning, which people wait for too
        return found

    def run(self, request: SweepRequest) -> SweepResult | Preview:
        """Run a study or a grid."""
        config = request.config
        if config.study.stages:
            if request.single:
                raise UsageError("A study is a sweep of several stages: add -m to run it.")
            if config.points:
                raise UsageError("points belongs to a grid; a study's stages have params.")
            return study.run(request)
        plan = self._plan(request)
        plan.remarks += sweep.check_models(plan)
        if config.plan:
            return sweep.preview(request, plan)
        return sweep.carry_out(request, plan, sweep.launch)

    def _overrides(self, arguments: list[str]) -> list[str]:
        """What the points are made of: the config's own sweep, then the command line's."""
        # A key of the command line replaces that of the file whole: layers=3 is no further value.
        given = {bare(text) for text in arguments}
        swept = [
            f"{key}={config_text(value)}" for key, value in self._params.items() if key not in given
        ]
        # What steers Hydra (`hydra.…`) is in the sweep's config already, and so are sets of points.
        return swept + [
            text for text in arguments if not bare(text).startswith("hydra")
            and bare(text) not in sets.KEYS
        ]  # fmt: skip

    def _plan(self, request: SweepRequest) -> Plan:
        given = [sets.words_of(item) for item in request.config.points or self._points] or [[]]
        if twice := [line for one in given for line in replaced(one)]:
            raise UsageError(f"points: {' '.join(twice)}")
        own = {bare(text) for text in request.command.words}
        if "points" in own and (both := own & {bare(text) for one in given for text in one}):
            raise UsageError(
                f"{', '.join(sorted(both))}: given in points and on its own; give one of them."
            )
        if request.single and len(given) > 1:
            raise UsageError("Several points make a sweep: add -m to run all of them.")
        asked = [[*one, *request.overrides] for one in given]
        return make_plan(asked, request.config, request.loader, prepare, single=request.single)
