"""Where Hydra finds this project's sweepers: it makes sweepers of this namespace only.

Hydra scans the package `hydra_plugins`, and importing this file also registers the config nodes of
the launchers, which this program makes itself.
"""

from mnist_sweep.sweeping import sweeper
from mnist_sweep.sweeping.launch import pool  # noqa: F401  (hydra/launcher=pool)
from mnist_sweep.sweeping.launch.on_ray import launcher  # noqa: F401  (hydra/launcher=ray)
from mnist_sweep.sweeping.search import sweeper as search_sweeper


class GridSweeper(sweeper.GridSweeper):
    """`hydra/sweeper=grid`."""


class SearchSweeper(search_sweeper.SearchSweeper):
    """`hydra/sweeper=search`."""
