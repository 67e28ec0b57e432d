"""Every setting is declared completely, and all that is derived from the schema agrees with it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep import settings as schema
from mnist_sweep.settings import SETTINGS, Setting, reference, validation
from mnist_sweep.settings import identity as identity_module
from support.factories import make_settings
from support.setting_values import other_values

EVERY = pytest.mark.parametrize("one", SETTINGS.values(), ids=list(SETTINGS))
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
CNN = {"_target_": "mnist_sweep.training.model.cnn", "filters": 16}


def with_value(key: str, value: Any, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Settings that differ in one dotted key; `model.…` follow the keys at the top."""
    made = settings or {**schema.defaults(), **make_settings()}
    top, _, rest = key.partition(".")
    changed = {**made, top: {**made[top], rest: value} if rest else value}
    if top in schema.MLP_KEYS and top in changed["model"]:
        changed["model"] = {**changed["model"], top: value}
    return changed


def used_settings(one: Setting) -> dict[str, Any]:
    """Settings in which `one` is used."""
    settings = {**schema.defaults(), **make_settings()}
    if one.only_if is None or one.only_if.holds(settings):
        return settings
    condition = one.only_if
    value = condition.values[0] if condition.above is None else condition.above + 1
    return with_value(condition.key, value, settings)


def unused_settings(one: Setting) -> dict[str, Any]:
    """Settings in which `one` is not used."""
    settings = {**schema.defaults(), **make_settings()}
    assert one.only_if is not None
    if one.only_if.holds(settings):
        assert one.only_if.key == "model._target_"
        settings["model"] = CNN
    return settings


def identity(settings: dict[str, Any]) -> tuple[str, str]:
    """The run id and the configuration id."""
    data = settings["data"]
    split = {key: data[key] for key in ("validation_fraction", "test_fraction", "split_seed")}
    form = schema.canonical(settings, {"sha256": "d" * 64, **split})
    return schema.run_id(form), schema.configuration_id(form)


@EVERY
def test_a_setting_says_what_it_means_and_what_it_may_be(one: Setting):
    assert one.help
    assert not one.help.endswith(".")
    assert len(one.help) < 75
    assert one.scope in ("run", "sweep")
    assert one.allowed
    assert one.type is dict or one.violation(one.default) is None
    assert one.only_if is None or one.only_if.key.partition(".")[0] in schema.known_keys()
    assert all(one.violation(value) is None for value in other_values(one))


def test_a_field_without_a_declaration_is_refused():
    for holder in (schema.Settings, *schema.NESTED.values()):
        for one in fields(holder):
            assert one.metadata or one.name in schema.NESTED


@EVERY
def test_a_value_changes_the_run_id_exactly_if_it_affects_the_result(one: Setting):
    values = other_values(one, 3)
    ids = [identity(with_value(one.key, value, used_settings(one))) for value in values]
    different = len(set(map(str, values)))
    assert len({run_id for run_id, _ in ids}) == (different if one.affects_result else 1)
    seedless = one.affects_result and one.key != "seed"
    assert len({configuration for _, configuration in ids}) == (different if seedless else 1)
    assert schema.affects_result(one.key) == one.affects_result


@EVERY
def test_a_value_shows_in_the_used_settings_exactly_if_it_affects_the_result(one: Setting):
    settings = used_settings(one)
    used = [schema.used(with_value(one.key, value, settings)) for value in other_values(one)]
    assert (one.key in used[0]) == (one.affects_result and one.type is not dict)
    assert (used[0] != used[1]) == one.affects_result


@pytest.mark.parametrize(
    "one", [one for one in SETTINGS.values() if one.only_if], ids=lambda one: one.key
)
def test_a_setting_that_is_not_used_changes_nothing(one: Setting):
    settings = unused_settings(one)
    for value in other_values(one):
        changed = with_value(one.key, value, settings)
        assert identity(changed) == identity(settings)
        assert schema.label(changed) == schema.label(settings)
        assert one.key not in schema.used(changed)
        assert schema.used(changed) == schema.used(settings)


@EVERY
def test_a_label_shows_what_differs_and_never_what_affects_nothing(one: Setting):
    settings = used_settings(one)
    labels = {schema.label(with_value(one.key, value, settings)) for value in other_values(one)}
    in_a_column = one.key.startswith("data.")  # tables show what differs between the data
    assert len(labels) == (2 if one.affects_result and not in_a_column else 1)


def test_columns_below_the_model_are_settings():
    for key in ("model", "model._target_", "model.filters", "layers", "trainer.name"):
        assert schema.is_setting(key)
        assert schema.affects_result(key)
    for key in ("test.accuracy", "run_id", "trainer.speed", "dataset.sha256", "early_stopping"):
        assert not schema.is_setting(key)
        assert not schema.affects_result(key)


def test_the_used_settings_of_a_row_are_those_of_its_record():
    nested = make_settings(optimizer="sgd", momentum=0.5, early_stopping={"patience": 2})
    row = {"run_id": "0" * 12, "model": "mlp", "optimizer": "sgd", "momentum": 0.5, "layers": 1,
           "model._target_": schema.MLP_TARGET, "model.layers": 1, "save_model": True}  # fmt: skip
    assert schema.used(row) == {"optimizer": "sgd", "momentum": 0.5, "layers": 1}
    assert schema.used(row).items() <= schema.used(nested).items()
    own = {**row, "model": "cnn", "model._target_": "mine.cnn", "model.filters": 8}
    assert schema.used(own) == {
        "optimizer": "sgd", "momentum": 0.5, "model._target_": "mine.cnn", "model.layers": 1,
        "model.filters": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("validation.accuracy", ""), ("test.f1_min", ""), ("loss", ""), ("time.train_s", ""),
        ("f1.8", ""), ("acuracy", "did you mean accuracy?"), ("train.f1", "must be a metric"),
        (None, "must not be null"), (3, "must be a metric"),
    ],
)  # fmt: skip
def test_the_objective_is_a_metric(value: Any, words: str):
    settings = {**with_value("objective", value), "name": "grid"}
    found = "\n".join(map(str, schema.problems(settings)))
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("alias", "key"),
    [("lr", "learning_rate"), ("bs", "batch_size"), ("units", "nodes"), ("depth", "layers"),
     ("workers", "n_jobs")],
)  # fmt: skip
def test_usual_names_suggest_ours(alias: str, key: str):
    assert schema.suggestion(alias) == f"did you mean {key}?"


def test_a_common_name_is_no_setting_and_means_one():
    for alias, key in validation._ALIASES.items():
        assert alias not in schema.known_keys()
        assert key in schema.known_keys()


def test_the_reference_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference.page(), (
        "python -m mnist_sweep.settings.reference > docs/reference/settings.md"
    )


@pytest.mark.parametrize("width", [80, 200])
def test_the_help_screen_has_every_setting_once(monkeypatch: pytest.MonkeyPatch, width: int):
    monkeypatch.setenv("COLUMNS", str(width))
    text = reference.help_text()
    for key in SETTINGS:
        assert text.count(f"    {key}=") == 1
    assert max(map(len, text.splitlines())) <= min(width, 100)


def test_a_setting_added_later_changes_no_known_run_id(monkeypatch: pytest.MonkeyPatch):
    before = {**schema.defaults(), **make_settings()}
    added = Setting(
        key="label_smoothing", type=float, optional=False, default=0.0, help="of the loss",
        scope="run", affects_result=True, low=0, high=1,
    )  # fmt: skip
    known = identity(before)
    monkeypatch.setattr(identity_module, "SETTINGS", {**SETTINGS, added.key: added})
    assert identity(before) == known  # a record or a config of an older version lacks it
    assert identity({**before, "label_smoothing": 0.0}) == known
    assert identity({**before, "label_smoothing": 0.1}) != known
    assert schema.label({**before, "label_smoothing": 0.1}) == (
        "layers=1,nodes=100,label_smoothing=0.1,seed=0"
    )
