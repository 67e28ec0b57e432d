"""A point's settings are those that Hydra's own composition gives, however they were made."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import NESTED, SETTINGS, Settings, problems
from mnist_sweep.settings.setting import value_at
from mnist_sweep.sweeping.plan import overrides
from mnist_sweep.sweeping.plan.points import Composer, compose, to_plain
from support.setting_values import override_texts


def points(axes: list[overrides.Axis]) -> list[tuple[Override, ...]]:
    return list(product(*axes))


def both(load: Callable[..., Any], *words: str) -> tuple[list[Any], list[Any]]:
    """Settings of the first, a middle and the last point, composed our way and Hydra's."""
    loaded = load()
    composer, axes = loaded.composer(*words)
    every = points(axes)
    # Hydra's way is slow. Of two axes of two values, the middle one mixes both points.
    some = [every[number] for number in sorted({0, len(every) // 2, len(every) - 1})]
    ours = [composer.settings(point) for point in some]
    hydras = [
        to_plain(compose(loaded.loader, loaded.master, [overrides.text_of(one) for one in point]))
        for point in some
    ]
    return ours, hydras


@pytest.mark.parametrize("key", [*NESTED, "model"])
def test_a_mapping_or_a_group_swept_alone_gives_hydras_settings(
    hydra_master: Callable[..., Any], key: str
):
    ours, hydras = both(hydra_master, f"{key}={','.join(override_texts(key))}")
    assert ours == hydras
    assert ours[0] != ours[-1]


def test_all_values_swept_at_once_give_hydras_settings(hydra_master: Callable[..., Any]):
    loaded = hydra_master()
    keys = [key for key, one in SETTINGS.items() if one.type is not dict]
    words = [f"{key}={','.join(override_texts(key))}" for key in keys]
    axes = [overrides.axis_of(one) for one in overrides.parse(words)]
    composer = Composer(loaded.loader, loaded.master, axes)
    found = []
    for number in range(2):
        point = [axis[number] for axis in axes]
        texts = [overrides.text_of(one) for one in point]
        found.append(composer.settings(point))
        assert found[-1] == to_plain(compose(loaded.loader, loaded.master, texts))
    first, second = found
    assert [key for key in keys if value_at(first, key) == value_at(second, key)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["layers=1,2", "nodes=100,300", "dropout=0.2"],
        ["data=digits,mnist", "data.validation_fraction=0.2,0.3"],
        ["data.validation_fraction=0.2,0.3", "data=digits,mnist"],
        ["model=cnn,mlp", "nodes=7,8", "layers=3"],
        ["model=cnn", "model.filters=8,32"],
        ["model=cnn", "+model.own=1,2", "dropout=0.1,0.2"],
        ["trainer=fit,compiled", "trainer.steps_per_execution=1,3", "trainer.jit_compile=true"],
        ["early_stopping={patience: 3}", "early_stopping.patience=1,2"],
        ["early_stopping.patience=1,2", "early_stopping={patience: 3}"],
        ["early_stopping={patience: 3, monitor: val_accuracy},{patience: 4}",
         "early_stopping.min_delta=0.1,0.2"],
        ["early_stopping.monitor=val_loss,val_accuracy", "early_stopping.patience=1,2"],
        ["+experiment=smoke", "epochs=1,2", "layers=1,2"],
        ["layers=1,2", "+experiment=smoke"],
        ["layers=1,2", "nodes=${layers}", "batch_size=7,8"],
        ["layers=${seed}", "seed=1,2"],
        ["++layers=1,2", "nodes=1,2"],
        ["++model.own=1,2", "nodes=1,2"],
        ["~model.activation", "layers=1,2"],
        ["model={_target_: mine.build}", "nodes=1,2"],
        ["model=cnn", "model={filters: 3}", "nodes=1,2"],
        ["data=digits", "data={split_seed: 3}", "data.path=a,b"],
        ["layers=1,2", "layers=3,4"],
        ["name='a,b','c=d'", "seed=1,2"],
        ["learning_rate=1,2", "weight_decay=0,1"],
    ],
)  # fmt: skip
def test_keys_together_give_hydras_settings(hydra_master: Callable[..., Any], words: list[str]):
    ours, hydras = both(hydra_master, *words)
    assert ours == hydras
    types = [OmegaConf.to_yaml(OmegaConf.create(s)) for s in (*ours, *hydras)]
    assert types[: len(ours)] == types[len(ours) :]  # 1.0 stays 1.0


def test_settings_hold_every_key_of_the_schema_and_none_of_hydras(
    hydra_master: Callable[..., Any],
):
    composer, _ = hydra_master().composer()
    settings = composer.settings(())
    assert set(settings) == set(Settings.__dataclass_fields__)
    assert problems(settings) == []
    assert settings["model"] == {
        "_target_": "mnist_sweep.training.model.mlp",
        "layers": 1, "nodes": 100, "dropout": 0.0, "activation": "relu",
    }  # fmt: skip


def test_one_point_does_not_leak_into_the_next(hydra_master: Callable[..., Any]):
    composer, axes = hydra_master().composer("layers=1,2", "+model.own=1,2")
    start, *_, end = points(axes)
    first = composer.settings(start)
    composer.settings(end)["model"]["own"] = 99
    assert composer.settings(start) == first
    assert composer.settings(end)["model"]["own"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["layers=${nosuch},1"], "nosuch"),
        (["model=mlp", "model.filters=1,2"], "model.filters=1"),
        (["layers=${nodes},1", "nodes=${layers}"], "layers"),
        (["model=nosuch,cnn"], "model=nosuch"),
        (["layers=???,1"], "layers"),
    ],
)
def test_what_hydra_cannot_compose_is_told_with_its_overrides(
    hydra_master: Callable[..., Any], words: list[str], said: str
):
    composer, axes = hydra_master().composer(*words)
    with pytest.raises(SettingsError) as refused:
        composer.settings(points(axes)[0])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_every_choice_of_every_group_composes_to_sound_settings(hydra_master: Callable[..., Any]):
    words = {
        "data": "auto,digits,mnist", "model": "cnn,mlp", "trainer": "compiled,fit",
        "+experiment": "smoke",
    }  # fmt: skip
    for key, choices in words.items():
        composer, axes = hydra_master().composer(f"{key}={choices}")
        for point in points(axes):
            assert problems(composer.settings(point)) == []
