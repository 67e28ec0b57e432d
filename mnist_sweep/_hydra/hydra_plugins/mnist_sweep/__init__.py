"""Where Hydra finds this project's plugins: it accepts classes of this namespace only."""

from mnist_sweep.sweeping import launcher, sweeper


class GridSweeper(sweeper.GridSweeper):
    """`hydra/sweeper=grid`."""


class PoolLauncher(launcher.PoolLauncher):
    """`hydra/launcher=pool`."""
