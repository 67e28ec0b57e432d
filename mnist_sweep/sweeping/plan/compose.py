"""A point's overrides to its settings."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import Plain, effective
from mnist_sweep.sweeping.plan import overrides
from mnist_sweep.sweeping.plan.hydra_settings import check_secrets
from mnist_sweep.sweeping.plan.overrides import Axis, Option
from mnist_sweep.sweeping.plan.sets import exclusions_of, row_of


class Composed(NamedTuple):
    """A point before its data are known.

    `given` are its settings as they were given, in `settings` those without effect are at their
    defaults, and `excluded` is the condition of `exclude` that leaves it out, if one does.
    """

    overrides: list[str]
    given: Plain
    settings: Plain
    excluded: str = ""


class Composer:
    """Settings of the points that some axes describe.

    Hydra composes a config in some 100 ms. Where a point only sets values, they are merged into a
    config composed once for its choice of config groups; the tests hold both ways to the same
    result over the whole schema.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig, axes: Sequence[Axis]) -> None:
        self._loader = loader
        self._master = master
        self._exclusions = exclusions_of(master.exclude)
        self._mergeable = [_mergeable(axis, axes) for axis in axes]
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        words: Any = OmegaConf.to_container(master.hydra.overrides.task, resolve=False)
        given = overrides.parse(words, loader)
        own = tuple(str(one.input_line) for one in given if not one.is_sweep_override())
        # What the sweep's own config is composed of; a group that is still to be chosen it lacks.
        self._own = None if OmegaConf.missing_keys(master.hydra.runtime.choices) else own

    def point(self, options: Sequence[Option]) -> Composed:
        """One point, an option of each axis."""
        given = self.settings(options)
        row = row_of(given, options) if self._exclusions else {}
        excluded = next((one.text for one in self._exclusions if one.holds(row)), "")
        return Composed([one.text for one in options], given, effective(given), excluded)

    def settings(self, options: Sequence[Option]) -> Plain:
        """The settings of one point, plain and resolved, without Hydra's own, as they were given.

        Raises:
            SettingsError: A value does not fit its key, or refers to something that is not there.
        """
        merged = list(zip(options, self._mergeable, strict=True))
        try:
            # Not copied: every point sets all of these axes, so nothing of the last one stays.
            config = self._base(tuple(option.text for option, merge in merged if not merge))
            for option, merge in merged:
                if merge:
                    added = option.text.startswith("++")
                    OmegaConf.update(config, option.key, option.value, merge=True, force_add=added)
            plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
        except (OmegaConfBaseException, HydraException) as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
            words = " ".join(option.text for option in options)
            text = f"Hydra cannot make settings of {words}: {' '.join(lines[:3])}"
            raise SettingsError(text) from error
        return cast("Plain", plain)

    def _base(self, fixed: tuple[str, ...]) -> DictConfig:
        if fixed not in self._bases:
            if fixed == self._own:
                base = _without_hydra(copy.deepcopy(self._master))
            else:
                base = compose(self._loader, self._master, list(fixed))
            check_secrets(base)  # a file that only this choice reads
            self._bases[fixed] = base
        return self._bases[fixed]


def compose(loader: ConfigLoader, master: DictConfig, words: list[str]) -> DictConfig:
    """Hydra's own composition of one point, without the `hydra` node."""
    return _without_hydra(loader.load_sweep_config(master, words))


def _without_hydra(config: DictConfig) -> DictConfig:
    # It would be resolved with each point, and has values that only a running job can give.
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    OmegaConf.set_struct(config, True)
    return config


def _mergeable(axis: Axis, axes: Sequence[Axis]) -> bool:
    """Whether an axis only sets a value and no other axis touches the same part of the config."""
    if axis.group or not axis.plain or not axis.swept:
        return False
    # early_stopping={patience: 3} early_stopping.patience=1,2: which of the two wins depends on
    # their order, and only Hydra's own composition keeps it.
    mine = f"{axis.key}."
    others = [f"{one.key}." for one in axes if one is not axis and not one.group]
    if any(other.startswith(mine) or mine.startswith(other) for other in others):
        return False
    return not any(isinstance(option.value, dict) for option in axis.options)


def to_plain(config: DictConfig) -> Plain:
    """A composed config as plain, resolved values, without the `hydra` node."""
    own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return cast("Plain", OmegaConf.to_container(own, resolve=True))
