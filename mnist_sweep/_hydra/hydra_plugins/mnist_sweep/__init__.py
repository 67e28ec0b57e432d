"""Where Hydra finds this project's plugins; each class is defined in `mnist_sweep.sweeping`.

Hydra 1.3 looks for plugins in the namespace package `hydra_plugins` only, so that the folder above
has this name and no `__init__.py`. It lies in `mnist_sweep/_hydra`, which `mnist_sweep/__init__.py`
appends to `sys.path`, instead of at the top level of the repository: a wheel then installs one
package, and nothing is added to the namespace of other projects.
"""

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
