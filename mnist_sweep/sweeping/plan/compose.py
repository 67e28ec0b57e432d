"""A point's overrides to its settings.

Hydra composes a config in tens of milliseconds. Where a point only sets values, they are merged
into a config composed once for its choice of config groups; the tests hold both ways to the same
result over the whole schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan import grid
from mnist_sweep.sweeping.plan.grid import Axis


class Composer:
    """Settings of a grid's points.

    Args:
        loader: Hydra's loader.
        master: The sweep's own config, composed by Hydra.
        axes: The grid.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, axes: list[Axis]) -> None:
        self._loader = loader
        self._master = master
        self._axes = axes
        self._mergeable = [_mergeable(axis, axes) for axis in axes]
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def settings(self, point: tuple[int, ...]) -> Plain:
        """The settings of one point, plain and resolved, without Hydra's own.

        Raises:
            SettingsError: A value does not fit its key, or refers to something that is not there.
        """
        values = [a.values[i] if a.values else None for a, i in zip(self._axes, point, strict=True)]
        return self.settings_at(grid.texts(self._axes, point), values)

    def settings_at(self, chosen: list[str], values: Sequence[Any]) -> Plain:
        """As `settings`, of a point whose values need not be among those of the axes.

        Args:
            chosen: One override for each axis.
            values: Their plain values.

        Raises:
            SettingsError: See `settings`.
        """
        try:
            # Not copied: every point sets all of these axes, so nothing of the last one stays.
            config = self._base(chosen)
            for axis, value, merge in zip(self._axes, values, self._mergeable, strict=True):
                if merge:
                    OmegaConf.update(config, axis.key, value, merge=True)
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, HydraException) as error:
            raise SettingsError(_explain(error, chosen)) from error
        return plain  # type: ignore[return-value]  # a mapping of text keys by the schema

    def _base(self, chosen: list[str]) -> DictConfig:
        fixed = tuple(
            text for text, merge in zip(chosen, self._mergeable, strict=True) if not merge
        )
        if fixed not in self._bases:
            self._bases[fixed] = compose(self._loader, self._master, list(fixed))
        return self._bases[fixed]


def compose(loader: ConfigLoader, master: DictConfig, overrides: list[str]) -> DictConfig:
    """Hydra's own composition of one point, without the `hydra` node."""
    config = loader.load_sweep_config(master, overrides)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config


def _mergeable(axis: Axis, axes: list[Axis]) -> bool:
    """Whether an axis only sets a value and no other axis touches the same part of the config."""
    if axis.group or not axis.plain or not axis.swept:
        return False
    mine = axis.key
    related = [
        other
        for other in axes
        if other is not axis
        and (other.key.startswith(f"{mine}.") or mine.startswith(f"{other.key}."))
        and not other.group
    ]
    return not related and not any(isinstance(value, dict) for value in axis.values)


def _explain(error: Exception, overrides: list[str]) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"Hydra cannot make settings of {' '.join(overrides)}: {' '.join(lines[:3])}"


def to_plain(config: DictConfig) -> Plain:
    """A composed config as plain, resolved values, without the `hydra` node."""
    content: Any = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in config.items()
        if key != "hydra"
    }
    return dict(content)
