"""What is wrong with settings: ranges, relations, suggestions."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_sweep import settings as schema
from support.factories import make_settings

CNN = {"_target_": "mnist_sweep.training.model.cnn", "filters": 16, "nodes": 100}


def settings(**changes: Any) -> dict[str, Any]:
    """All settings, those of the sweep included."""
    return {**schema.defaults(), **make_settings(**changes), "name": changes.get("name", "grid")}


def complaint(**changes: Any) -> str:
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
def test_a_value_is_allowed_inside_its_range_and_refused_outside(
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
        ("data.validation_fraction", -0.1), ("data.validation_fraction", 0.91),
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


def test_all_problems_are_listed_at_once():
    text = complaint(layers=0, dropout=1, optimizer="adm", data={"split_seed": -1})
    assert text.splitlines() == [
        "layers=0: must be a whole number from 1 to 16",
        "dropout=1: must be a number from 0 to below 1",
        f"optimizer=adm: must be one of: {', '.join(schema.OPTIMIZERS)} (did you mean adam?)",
        "data.split_seed=-1: must be a whole number from 0 to 4294967295",
    ]


def test_an_unknown_key_suggests_a_known_one():
    found = schema.problems({**settings(), "lyers": 2})
    assert [str(problem) for problem in found] == ["lyers=2: no such setting; did you mean layers?"]
    assert schema.suggestion("erly_stopping.patience") == "did you mean early_stopping.patience?"
    assert schema.suggestion("zzz").startswith("known: layers, nodes, ")


def test_a_long_value_is_cut_in_the_message():
    assert len(complaint(activation="x" * 1000).split(": ")[0]) < 80


def test_a_nested_setting_must_be_a_mapping():
    found = schema.problems({**settings(), "early_stopping": 3})
    assert str(found[0]) == "early_stopping=3: must be a mapping of patience, monitor, min_delta"


@pytest.mark.parametrize("optimizer", schema.OPTIMIZERS)
def test_momentum_belongs_to_the_optimizers_that_take_it(optimizer: str):
    given = {**settings(), "optimizer": optimizer, "momentum": 0.9}
    taken = optimizer in schema.MOMENTUM_OPTIMIZERS
    assert schema.problems(given) == []
    assert schema.effective(given)["momentum"] == (0.9 if taken else 0.0)
    text = "momentum=0.9: has no effect here: it needs optimizer=rmsprop,sgd"
    assert [str(found) for found in schema.without_effect([given])] == ([] if taken else [text])
    other = {**given, "optimizer": "sgd"}
    assert schema.without_effect([given, other]) == []
    assert bool(schema.without_effect([given, {**other, "momentum": 0.0}])) == (not taken)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schedule": "exponential", "schedule_end": 0.0}, "schedule_end=0: must be above 0"),
        ({"data": {"name": "csv"}}, "data.path=null: data=csv needs data.path=…"),
        ({"model": {"_target_": "build"}}, "model._target_=build: must name a function"),
        (
            {"data": {"validation_fraction": 0.0}},
            "objective=validation.accuracy: needs validation examples",
        ),
        (
            {"data": {"validation_fraction": 0.0}, "early_stopping": {"patience": 2}},
            "early_stopping.patience=2: needs validation examples",
        ),
        ({"model": {}}, "model._target_=null: must name a function"),
        ({"model": {"_target_": 3}}, "model._target_=3: must name a function"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str):
    assert words in complaint(**changes)


def test_the_dense_network_uses_the_settings_at_the_top():
    model = settings()["model"]
    assert complaint(model={**model, "layers": 3}) == (
        "model.layers=3: model=mlp takes it from layers: set layers=…"
    )
    assert complaint(model={**model, "filters": 3}).startswith(
        "model.filters=3: model=mlp has no such"
    )
    assert "model.nodes=null" in complaint(model={k: v for k, v in model.items() if k != "nodes"})
    assert complaint(model={**CNN, "nodes": 7, "anything": 3}) == ""


def test_a_network_beside_a_task_is_refused():
    task = {"_target_": "my_tasks.run"}
    assert complaint(task=task) == ""
    assert complaint(task=task, model=CNN).startswith(
        "model._target_=mnist_sweep.training.model.cnn: has no effect on the task my_tasks.run"
    )


def test_a_function_of_a_notebook_is_refused_with_the_way_out():
    assert complaint(model={"_target_": "__main__.build"}).endswith(
        "put it into a module, my_module.py (in a notebook: %%writefile my_module.py), and name "
        "it my_module.build"
    )


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
        ("early_stopping.patience", -1, False),
    ],
)  # fmt: skip
def test_one_value_can_be_checked_by_itself(key: str, value: Any, fine: bool):
    assert (schema.value_problem(key, value) is None) == fine


def test_run_settings_leave_the_sweep_out():
    assert set(schema.run_settings(settings())) == set(schema.RUN_KEYS) - {"task"}
