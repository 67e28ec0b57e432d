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
from mnist_sweep.sweeping.plan.grid import Axis, Option
from mnist_sweep.sweeping.plan.hydra_settings import check_secrets


class Composer:
    """Settings of a grid's points."""

    def __init__(self, loader: ConfigLoader, master: DictConfig, axes: list[Axis]) -> None:
        self._loader = loader
        self._master = master
        self._mergeable = [_mergeable(axis, axes) for axis in axes]
        self._bases: dict[tuple[str, ...], DictConfig] = {}

    def settings(self, point: Sequence[Option]) -> Plain:
        """The settings of one point, plain and resolved, without Hydra's own, as they were given.

        Raises:
            SettingsError: A value does not fit its key, or refers to something that is not there.
            UsageError: A value comes from the environment.
        """
        try:
            # Not copied: every point sets all of these axes, so nothing of the last one stays.
            config = self._base(point)
            for option, merge in zip(point, self._mergeable, strict=True):
                if merge:
                    added = option.text.startswith("++")
                    OmegaConf.update(config, option.key, option.value, merge=True, force_add=added)
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, HydraException) as error:
            raise SettingsError(_explain(error, point)) from error
        return plain  # type: ignore[return-value]  # a mapping of text keys by the schema

    def _base(self, point: Sequence[Option]) -> DictConfig:
        fixed = tuple(
            option.text for option, merge in zip(point, self._mergeable, strict=True) if not merge
        )
        if fixed not in self._bases:
            base = compose(self._loader, self._master, list(fixed))
            check_secrets(base)  # a file that only this choice reads
            self._bases[fixed] = base
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
    return not related and not any(isinstance(option.value, dict) for option in axis.options)


def _explain(error: Exception, point: Sequence[Option]) -> str:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    overrides = " ".join(option.text for option in point)
    return f"Hydra cannot make settings of {overrides}: {' '.join(lines[:3])}"


def to_plain(config: DictConfig) -> Plain:
    """A composed config as plain, resolved values, without the `hydra` node."""
    content: Any = {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in config.items()
        if key != "hydra"
    }
    return dict(content)
