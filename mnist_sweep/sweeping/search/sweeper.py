"""`hydra/sweeper=search`: Hydra's side of a search."""

from __future__ import annotations

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore

from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.plan.preview import Preview
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search import search_sweep
from mnist_sweep.sweeping.sweep import SweepRequest
from mnist_sweep.sweeping.sweeper import GridSweeper, GridSweeperConf


@dataclass
class SearchSweeperConf(GridSweeperConf):
    """The sweeper's config node: `params` is the space; what else there is to set is `search`."""

    _target_: str = "hydra_plugins.mnist_sweep.SearchSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="search", node=SearchSweeperConf, provider="mnist_sweep"
)


class SearchSweeper(GridSweeper):
    """Chooses the points of a space one after another."""

    def run(self, request: SweepRequest) -> SweepResult | Preview:
        """Run the search of the command line's overrides.

        Raises:
            MnistSweepError: Nothing was run: space, settings, data or directory are not right.
        """
        if request.single:
            raise UsageError("A search is a sweep: add -m to run it.")
        if request.config.study.stages:
            raise UsageError(
                "A study's stages are grids: leave hydra/sweeper=search away, or search first."
            )
        if self._points or request.config.points:
            raise UsageError(
                "points belongs to a grid; hydra.sweeper.params and the command line "
                "tell what a search may choose."
            )
        return search_sweep.run(request)
