"""The canonical form, run ids and labels. `test_schema` tests them for each setting."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep import settings as schema
from mnist_sweep.settings.identity import _one_form
from support.factories import make_settings

DATA = {"sha256": "d" * 64, "validation_fraction": 0.1, "split_seed": 0, "test_fraction": None}
CNN = {"_target_": "mnist_sweep.training.model.cnn", "filters": 16, "nodes": 100}


def settings(**changes: Any) -> dict[str, Any]:
    """All settings, those of the sweep included."""
    return {**schema.defaults(), **make_settings(**changes), "name": changes.get("name", "grid")}


def identity(**changes: Any) -> str:
    return schema.run_id(schema.canonical(settings(**changes), DATA))


def test_run_ids_never_change():
    assert identity() == "8919a4614df9"
    assert identity(layers=2, nodes=300, seed=1) == "4a424b3913a7"
    assert identity(optimizer="sgd", momentum=0.9, schedule="cosine") == "37bfa4082f2d"
    assert identity(model=CNN, trainer={"name": "fit"}) == "0f26c75056c3"
    form = schema.canonical(settings(layers=2), DATA)
    assert schema.configuration_id(form) == "b9b78521f41c"


def test_a_network_of_the_users_own_does_not_depend_on_layers_it_does_not_use():
    one, other = settings(model=CNN), settings(model=CNN, layers=5, activation="tanh")
    assert identity(model=CNN) == identity(model=CNN, layers=5, activation="tanh")
    assert schema.label(one) == schema.label(other)
    assert identity(model={**CNN, "nodes": 7}) != identity(model=CNN)


def test_what_decides_the_data_changes_the_run_id_and_the_code_too():
    forms = [schema.canonical(settings(), DATA), schema.canonical(settings(), DATA, code="c" * 64)]
    for key, other in (
        ("sha256", "e" * 64), ("validation_fraction", 0.2), ("split_seed", 1),
        ("test_fraction", 0.2),
    ):  # fmt: skip
        forms.append(schema.canonical(settings(), {**DATA, key: other}))
    ids = {schema.run_id(form) for form in forms}
    assert len(ids) == len(forms)
    assert all(re.fullmatch("[0-9a-f]{12}", one) for one in ids)
    assert "code" not in forms[0]


def test_repeats_share_a_configuration():
    forms = [schema.canonical(settings(seed=seed), DATA) for seed in range(3)]
    assert len({schema.configuration_id(form) for form in forms}) == 1
    assert len({schema.run_id(form) for form in forms}) == 3
    assert schema.configuration_id(forms[0]) != schema.run_id(forms[0])


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


def test_a_label_has_layers_nodes_seed_and_what_is_not_default():
    def label(**changes: Any) -> str:
        return schema.label(settings(**changes))

    assert label() == "layers=1,nodes=100,seed=0"
    assert label(layers=2, dropout=0.2, seed=7) == "layers=2,nodes=100,dropout=0.2,seed=7"
    assert label(epochs=3, trainer={"name": "fit", "jit_compile": False}) == (
        "layers=1,nodes=100,epochs=3,trainer=fit,jit_compile=False,seed=0"
    )
    assert label(early_stopping={"patience": 2}) == "layers=1,nodes=100,patience=2,seed=0"
    assert label(schedule="linear", schedule_end=0.5) == (
        "layers=1,nodes=100,schedule=linear,schedule_end=0.5,seed=0"
    )
    assert label(model=CNN) == "model=cnn,filters=16,nodes=100,seed=0"


@given(st.dictionaries(st.text(max_size=30), plain, max_size=4), st.text(max_size=300))
def test_a_label_is_safe_as_the_name_of_a_directory(extra: dict[str, Any], target: str):
    made = settings(model={**extra, "_target_": f"mine.{target}"})
    label = schema.label(made)
    assert re.fullmatch(r"[A-Za-z0-9._=,+~-]+", label)
    assert not label.startswith((".", "-", "~"))
    assert len(f"{label}-{identity()}".encode()) <= 255
    assert label == schema.label(json.loads(json.dumps(made)))
