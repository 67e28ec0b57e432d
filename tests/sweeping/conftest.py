"""Hydra's loader as a sweep has it, without a sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

import mnist_sweep  # noqa: F401  (makes the plugins known)
from mnist_sweep.command import conf_directory
from mnist_sweep.sweeping.plan import overrides
from mnist_sweep.sweeping.plan.points import Composer


@dataclass
class Loaded:
    """A composed sweep: what the sweeper is given by Hydra."""

    loader: ConfigLoader
    master: DictConfig

    def composer(self, *words: str) -> tuple[Composer, list[overrides.Axis]]:
        axes = overrides.axes_of(overrides.parse(words), 10_000)
        return Composer(self.loader, self.master, axes), axes


@pytest.fixture(scope="session")
def hydra_master() -> Iterator[Callable[..., Loaded]]:
    with initialize_config_dir(str(conf_directory()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        known: dict[tuple[str, ...], Loaded] = {}

        def load(*words: str) -> Loaded:
            # Two compositions of one point are compared; the default name is the time, and whoever
            # enters Hydra sets the resolver again.
            OmegaConf.register_new_resolver("now", lambda _: "2026-01-01", replace=True)
            if words not in known:
                master = hydra.compose_config(
                    "config", list(words), run_mode=RunMode.MULTIRUN, with_log_configuration=False
                )
                known[words] = Loaded(hydra.config_loader, master)
            return known[words]

        yield load
    setup_globals()
