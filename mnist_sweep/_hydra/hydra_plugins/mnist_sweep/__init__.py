"""Where Hydra finds this project's plugins: it accepts classes of this namespace only."""

from mnist_sweep.sweeping import sweeper
from mnist_sweep.sweeping.launch import launcher
from mnist_sweep.sweeping.launch.on_ray import launcher as ray_launcher
from mnist_sweep.sweeping.search import sweeper as search_sweeper


class GridSweeper(sweeper.GridSweeper):
    """`hydra/sweeper=grid`."""


class SearchSweeper(search_sweeper.SearchSweeper):
    """`hydra/sweeper=search`."""


class PoolLauncher(launcher.PoolLauncher):
    """`hydra/launcher=pool`."""


class RayLauncher(ray_launcher.RayLauncher):
    """`hydra/launcher=ray`."""
