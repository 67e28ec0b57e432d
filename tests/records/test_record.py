"""A record is strict JSON of one shape, and says what is wrong with any other."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mnist_sweep.records.reading import parse
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.store import to_json
from mnist_sweep.safe_files import plain
from support.factories import make_run

VALUES = make_run(layers=2, nodes=300, seed=1).values


def changed(**fields):
    return {**VALUES, **fields}


@pytest.mark.parametrize("status", ["finished", "failed", "diverged"])
def test_a_record_reads_back_as_it_was_written(status):
    record = make_run(status=status).record
    again = parse(to_json(record).encode())
    assert again == record.model_copy(update={"sha256": again.sha256})


@pytest.mark.parametrize(
    "path", [(), ("data",), ("metrics", "test", "per_class", 0), ("environment",), ("time",)]
)
def test_a_field_that_there_is_not_is_refused_at_every_depth(path):
    values = json.loads(to_json(build(VALUES)))
    inner = values
    for step in path:
        inner = inner[step]
    inner["new"] = 1
    with pytest.raises(ValidationError, match="new"):
        Record.model_validate_json(json.dumps(values))


def test_a_newer_schema_version_is_refused_by_name():
    with pytest.raises(ValidationError, match=f"schema_version {SCHEMA_VERSION + 1} is newer"):
        build(changed(schema_version=SCHEMA_VERSION + 1))


def test_an_older_schema_version_is_read():
    assert build(changed(schema_version=0)).run_id == VALUES["run_id"]


@pytest.mark.parametrize("field", ["label", "configuration_id"])
def test_a_record_has_a_label_and_a_configuration(field):
    with pytest.raises(ValidationError, match=field):
        build(changed(**{field: ""}))
    with pytest.raises(ValidationError, match=field):
        build({key: value for key, value in VALUES.items() if key != field})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("run_id",), "not hexadecimal"),
        (("run_id",), 12),
        (("status",), "done"),
        (("config",), None),
        (("config",), {"dropout": math.inf}),
        (("parameters",), "100"),
        (("parameters",), -1),
        (("parameters",), 1.5),
        (("data", "classes"), 0),
        (("data", "shape"), "28x28"),
        (("history", "loss"), ["0.1"]),
        (("metrics", "test", "accuracy"), 97.4),
        (("metrics", "test", "accuracy"), None),
        (("metrics", "test", "accuracy"), True),
        (("metrics", "test", "confusion"), [[1, 2], [3]]),
        (("metrics", "test", "per_class"), []),
        (("metrics",), None),
        (("time", "train_s"), -1.0),
        (("environment", "started_at"), "yesterday"),
        (("error",), "out of memory"),
    ],
)
def test_a_wrong_value_is_refused(path, value):
    values = json.loads(json.dumps(VALUES))
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ValidationError):
        Record.model_validate(values)


def test_a_run_that_did_not_finish_must_say_why():
    with pytest.raises(ValidationError, match="there is no error"):
        build(changed(status="failed", metrics=None))


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(plain_values)
def test_plain_values_are_strict_json_and_stay_the_same(value):
    once = plain(value)
    text = json.dumps(once, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert plain(once) == once == json.loads(text)


def test_plain_turns_what_numbers_can_be_into_json():
    value = {"a": (np.float32(0.5), np.int64(3)), 1: np.array([[1.0, np.nan]]), "b": -math.inf}
    assert plain(value) == {"a": [0.5, 3], "1": [[1.0, None]], "b": None}


def test_text_that_utf8_cannot_carry_is_written_out_and_read_again():
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    error = {"type": "OSError", "message": name, "traceback": None}
    text = to_json(make_run(status="failed", error=error).values)
    assert Record.model_validate_json(text.encode("utf-8")).error.message == "caf\\udce9"
