"""Settings: ranges, relations, suggestions, the canonical form, run ids and labels."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep import settings as schema
from mnist_sweep.settings.identity import _one_form
from mnist_sweep.training import runtime
from support.factories import make_settings

DATA = {"sha256": "d" * 64, "validation_fraction": 0.1, "split_seed": 0, "test_fraction": None}
CNN = {"_target_": "mnist_sweep.training.model.cnn", "filters": 16, "nodes": 100}


def settings(**changes: Any) -> dict[str, Any]:
    """All settings, those of the sweep included."""
    return {**schema.defaults(), **make_settings(**changes), "name": changes.get("name", "grid")}


def identity(**changes: Any) -> str:
    return schema.run_id(schema.canonical(settings(**changes), DATA))


def said(**changes: Any) -> str:
    return "\n".join(map(str, schema.problems(settings(**changes))))


def test_the_defaults_are_fine():
    assert schema.problems(settings()) == []


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("layers", [1, 16], [0, 17, -1, 1.0, "2", True, None]),
        ("nodes", [1, 65_536], [0, 65_537, 10**30]),
        ("dropout", [0, 0.0, 0.999], [1, 1.0, -0.1, float("nan"), "0.1"]),
        ("activation", ["relu", "tanh"], ["Relu", "softmax", "", None]),
        ("seed", [0, 2**32 - 1], [-1, 2**32, 0.5]),
        ("epochs", [1, 100_000], [0, 100_001]),
        ("batch_size", [1, 10**9], [0, -32]),
        ("optimizer", ["adam", "sgd"], ["adm", "Adam", 3]),
        ("learning_rate", [1e-300, 5], [0, -1, float("inf"), float("nan"), None]),
        ("weight_decay", [None, 0, 0.1], [-0.1, "no"]),
        ("schedule", ["constant", "cosine"], ["step"]),
        ("schedule_end", [0, 1, 0.5], [-0.01, 1.01]),
        ("threads", [1, 1024], [0, 1025, None]),
        ("save_model", [True, False], [0, 1, "yes", None]),
        ("name", ["grid", "a b", "2024", "ü", "x" * 100], ["", ".", "..", "../x", "/abs", "a/b",
            "a\\b", " a", "a ", ".hidden", "x" * 101, "a\nb", "a:b", "a*", None]),
        ("n_jobs", [None, 1, 1024], [0, -1, 1025, 1.5]),
        ("retries", [0, 10], [-1, 11]),
        ("max_points", [1, 10**9], [0]),
        ("plan", [True, False], ["maybe", 1]),
    ],
)  # fmt: skip
def test_a_value_is_taken_inside_its_range_and_refused_outside(
    key: str, good: list[Any], bad: list[Any]
):
    for value in good:
        assert schema.problems({**settings(**{key: value}), key: value}) == [], value
    for value in bad:
        found = schema.problems({**settings(), key: value})
        assert [problem.key for problem in found] == [key], value
        assert found[0].allowed.startswith("must ")


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("data.validation_fraction", 0), ("data.validation_fraction", 0.91),
        ("data.test_fraction", 0.0), ("data.split_seed", -1), ("data.download_timeout_s", -1),
        ("data.name", "minst"), ("data.path", 3), ("early_stopping.patience", -1),
        ("early_stopping.monitor", "loss"), ("early_stopping.min_delta", -1e-9),
        ("trainer.name", "fast"), ("trainer.jit_compile", "yes"),
        ("trainer.steps_per_execution", 0),
    ],
)  # fmt: skip
def test_nested_values_have_ranges_too(key: str, bad: Any):
    top, _, inner = key.partition(".")
    found = schema.problems(settings(**{top: {inner: bad}}))
    assert [problem.key for problem in found] == [key]


def test_everything_that_is_wrong_is_said_at_once():
    text = said(layers=0, dropout=1, optimizer="adm", data={"split_seed": -1})
    assert text.splitlines() == [
        "layers=0: must be a whole number from 1 to 16",
        "dropout=1: must be a number from 0 to below 1",
        f"optimizer=adm: must be one of {', '.join(schema.OPTIMIZERS)} (did you mean adam?)",
        "data.split_seed=-1: must be a whole number from 0 to 4294967295",
    ]


def test_an_unknown_key_is_told_its_likely_name():
    found = schema.problems({**settings(), "lyers": 2})
    assert [str(problem) for problem in found] == ["lyers=2: no such setting; did you mean layers?"]
    assert schema.suggestion("erly_stopping.patience") == "did you mean early_stopping.patience?"
    assert schema.suggestion("zzz").startswith("there are layers, nodes, ")


def test_a_long_value_is_cut_in_the_message():
    assert len(said(activation="x" * 1000).split(": ")[0]) < 80


def test_a_nested_setting_must_be_a_mapping():
    found = schema.problems({**settings(), "early_stopping": 3})
    assert str(found[0]) == "early_stopping=3: must be a mapping of patience, monitor, min_delta"


@pytest.mark.parametrize("optimizer", schema.OPTIMIZERS)
def test_momentum_belongs_to_the_optimizers_that_take_it(optimizer: str):
    text = said(optimizer=optimizer, momentum=0.9)
    taken = optimizer in schema.MOMENTUM_OPTIMIZERS
    assert (text == "") == taken
    assert taken or text == f"momentum=0.9: only rmsprop and sgd take it, not {optimizer}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": "exponential", "schedule_end": 0.0}, "schedule_end=0: must be above 0"),
        ({"data": {"name": "csv"}}, "data.path=null: data=csv needs data.path=…"),
        ({"model": {"_target_": "build"}}, "model._target_=build: must name a function"),
        ({"model": {}}, "model._target_=null: must name a function"),
        ({"model": {"_target_": 3}}, "model._target_=3: must name a function"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str):
    assert words in said(**changes)


def test_the_perceptron_is_made_of_the_settings_at_the_top():
    model = settings()["model"]
    assert said(model={**model, "layers": 3}) == (
        "model.layers=3: model=mlp takes it from layers: set layers=…"
    )
    assert said(model={**model, "filters": 3}).startswith("model.filters=3: model=mlp has no such")
    assert "model.nodes=null" in said(model={k: v for k, v in model.items() if k != "nodes"})
    assert said(model={**CNN, "nodes": 7, "anything": 3}) == ""


@pytest.fixture(scope="module")
def keras() -> Any:
    runtime.import_tensorflow()
    import keras

    return keras


def test_the_names_of_optimizers_and_activations_are_those_of_keras(keras: Any):
    for name in schema.OPTIMIZERS:
        assert type(keras.optimizers.get(name)).__name__.lower() == name
    for name in schema.ACTIVATIONS:
        assert keras.activations.get(name).__name__ == name
    # Not sweepable: wrappers, and optimizers that step by other than the gradient alone.
    classes = {
        value.__name__.lower()
        for value in vars(keras.optimizers).values()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert classes - set(schema.OPTIMIZERS) <= {
        "lamb", "lossscaleoptimizer", "multioptimizer", "muon", "optimizer", "schedulefreeadamw",
    }  # fmt: skip


def test_momentum_is_taken_by_the_optimizers_said_to_take_it(keras: Any):
    for name in schema.MOMENTUM_OPTIMIZERS:
        assert "momentum" in keras.optimizers.get(name).get_config()


def test_run_ids_never_change():
    assert identity() == "8919a4614df9"
    assert identity(layers=2, nodes=300, seed=1) == "4a424b3913a7"
    assert identity(optimizer="sgd", momentum=0.9, schedule="cosine") == "37bfa4082f2d"
    assert identity(model=CNN, trainer={"name": "fit"}) == "0f26c75056c3"
    form = schema.canonical(settings(layers=2), DATA)
    assert schema.configuration_id(form) == "b9b78521f41c"


DECIDING = [
    {"layers": 2}, {"nodes": 101}, {"dropout": 0.1}, {"activation": "tanh"}, {"seed": 1},
    {"epochs": 21}, {"batch_size": 33}, {"optimizer": "adamw"}, {"learning_rate": 0.002},
    {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.5}, {"optimizer": "rmsprop"},
    {"optimizer": "rmsprop", "momentum": 0.5}, {"weight_decay": 0.0}, {"weight_decay": 0.1},
    {"schedule": "cosine"}, {"schedule": "linear"}, {"schedule": "linear", "schedule_end": 0.5},
    {"early_stopping": {"patience": 3}}, {"early_stopping": {"patience": 4}},
    {"early_stopping": {"patience": 3, "monitor": "val_accuracy"}},
    {"early_stopping": {"patience": 3, "min_delta": 0.1}}, {"trainer": {"name": "fit"}},
    {"trainer": {"name": "fit", "jit_compile": True}},
    {"trainer": {"name": "fit", "steps_per_execution": 2}}, {"threads": 2}, {"model": CNN},
    {"model": {**CNN, "filters": 8}}, {},
]  # fmt: skip


def test_every_setting_that_decides_the_result_changes_the_run_id():
    ids = [identity(**changes) for changes in DECIDING]
    assert len(set(ids)) == len(DECIDING)
    base = settings()
    for key, other in (
        ("sha256", "e" * 64), ("validation_fraction", 0.2), ("split_seed", 1),
        ("test_fraction", 0.2),
    ):  # fmt: skip
        ids.append(schema.run_id(schema.canonical(base, {**DATA, key: other})))
    assert len(set(ids)) == len(DECIDING) + 4
    assert all(re.fullmatch("[0-9a-f]{12}", name) for name in ids)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"}, {"save_model": False}, {"n_jobs": 4}, {"retries": 0}, {"plan": True},
        {"fail_fast": True}, {"rerun_failed": False}, {"max_points": 3},
        {"schedule_end": 0.5},  # of schedule=constant
        {"early_stopping": {"min_delta": 0.5, "monitor": "val_accuracy"}},  # patience is 0
        {"trainer": {"jit_compile": True, "steps_per_execution": 9}},  # of trainer=fit only
        {"data": {"name": "mnist", "path": "/x", "download_timeout_s": 1.0, "sha256": "d" * 64}},
    ],
)  # fmt: skip
def test_what_has_no_say_in_the_result_changes_neither_run_id_nor_label(changes: dict[str, Any]):
    assert identity(**changes) == identity()
    assert schema.label(settings(**changes)) == schema.label(settings())


def test_a_network_of_ones_own_does_not_depend_on_the_layers_it_has_no_use_for():
    one, other = settings(model=CNN), settings(model=CNN, layers=5, activation="tanh")
    assert identity(model=CNN) == identity(model=CNN, layers=5, activation="tanh")
    assert schema.label(one) == schema.label(other)
    assert identity(model={**CNN, "nodes": 7}) != identity(model=CNN)


def test_repeats_share_a_configuration_and_nothing_else_does():
    def configuration(**changes: Any) -> str:
        return schema.configuration_id(schema.canonical(settings(**changes), DATA))

    assert configuration(seed=1) == configuration(seed=2) == configuration()
    others = [change for change in DECIDING if change not in ({}, {"seed": 1})]
    ids = {configuration(**changes) for changes in others}
    assert len(ids) == len(others)
    assert configuration() not in ids
    assert configuration() != identity()


numbers = st.one_of(
    st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
plain = st.recursive(
    st.one_of(st.none(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def rewritten(value: Any) -> Any:
    """The same values in another order and another way of writing numbers."""
    if isinstance(value, dict):
        return {key: rewritten(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return tuple(rewritten(inner) for inner in value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return float(value) if isinstance(value, int) else value + 0.0 if value else -0.0


@given(st.dictionaries(st.text(max_size=5), plain, max_size=4))
def test_an_id_depends_neither_on_the_order_of_keys_nor_on_how_a_number_is_written(
    extra: dict[str, Any],
):
    made = settings(model={"_target_": "mine.build", **extra}, learning_rate=1, weight_decay=0)
    form = schema.canonical(made, DATA)
    again = rewritten(form)
    assert schema.run_id(again) == schema.run_id(form)
    assert schema.configuration_id(again) == schema.configuration_id(form)


@given(plain, plain)
def test_different_values_give_different_ids(one: Any, other: Any):
    def text(value: Any) -> str:
        return json.dumps(_one_form(value), sort_keys=True)

    def number(value: Any) -> str:
        model = {"_target_": "mine.build", "value": value}
        return schema.run_id(schema.canonical(settings(model=model), DATA))

    assert (number(one) == number(other)) == (text(one) == text(other))


def test_one_and_true_are_not_the_same_value():
    def number(value: Any) -> str:
        return identity(model={"_target_": "mine.build", "flag": value})

    assert number(1) == number(1.0) != number(True)
    assert number(0.1 + 0.2) != number(0.3)


def test_a_label_tells_layers_nodes_and_seed_and_what_is_not_usual():
    def told(**changes: Any) -> str:
        return schema.label(settings(**changes))

    assert told() == "layers=1,nodes=100,seed=0"
    assert told(layers=2, dropout=0.2, seed=7) == "layers=2,nodes=100,dropout=0.2,seed=7"
    assert told(epochs=3, trainer={"name": "fit", "jit_compile": False}) == (
        "layers=1,nodes=100,epochs=3,trainer=fit,jit_compile=False,seed=0"
    )
    assert told(early_stopping={"patience": 2}) == "layers=1,nodes=100,patience=2,seed=0"
    assert told(schedule="linear", schedule_end=0.5) == (
        "layers=1,nodes=100,schedule=linear,schedule_end=0.5,seed=0"
    )
    assert told(model=CNN) == "model=cnn,filters=16,nodes=100,seed=0"


@given(st.dictionaries(st.text(max_size=30), plain, max_size=4), st.text(max_size=300))
def test_a_label_is_safe_as_the_name_of_a_directory(extra: dict[str, Any], target: str):
    made = settings(model={**extra, "_target_": f"mine.{target}"})
    label = schema.label(made)
    assert re.fullmatch(r"[A-Za-z0-9._=,+~-]+", label)
    assert not label.startswith((".", "-", "~"))
    assert len(f"{label}-{identity()}".encode()) <= 255
    assert label == schema.label(json.loads(json.dumps(made)))


def test_known_keys_are_all_that_can_be_set():
    keys = schema.known_keys()
    assert len(keys) == len(set(keys))
    assert {"layers", "model", "data.path", "early_stopping.patience", "trainer.name"} <= set(keys)
    assert set(schema.RUN_KEYS) | set(schema.SWEEP_KEYS) == {k for k in keys if "." not in k}


@pytest.mark.parametrize(
    ("key", "value", "fine"),
    [
        ("layers", 2, True), ("layers", 0, False), ("name", 2024, True), ("name", True, True),
        ("data.sha256", 10**63, True), ("data.path", 7, True), ("activation", 3, False),
        ("trainer", {"name": "fit"}, True), ("early_stopping.patience", -1, False),
    ],
)  # fmt: skip
def test_one_value_can_be_checked_by_itself(key: str, value: Any, fine: bool):
    assert (schema.value_problem(key, value) is None) == fine


def test_run_settings_leave_the_sweep_out():
    assert set(schema.run_settings(settings())) == set(schema.RUN_KEYS)


def test_a_function_of_a_notebook_is_refused_with_the_way_out():
    assert said(model={"_target_": "__main__.build"}).endswith(
        "put it into a module, my_module.py, and name it my_module.build"
    )
