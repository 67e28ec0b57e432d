"""Sixty kinds of damaged record: each gives its path and a reason, and never a traceback.

One sweep serves all: the record of its second run is written again for each kind. `damage.py` in
`tests/benchmarks` has the kinds that are made by the thousand.
"""

from __future__ import annotations

import copy
import json
from functools import cache

import click.testing
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_sweep.analysis.gate import Rules, baseline_of
from mnist_sweep.analysis.gate import check as check_sweep
from mnist_sweep.cli.compare import compare
from mnist_sweep.records.sweep import load
from support.damage import SMALL, places
from support.factories import make_run, write_sweep

REQUIRED = ("schema_version", "run_id", "status", "config", "data")
DATA = ("name", "source", "sha256", "shape", "classes", "n_train", "n_validation", "n_test")
SPLIT = ("accuracy", "precision", "recall", "f1", "f1_min", "per_class", "confusion")
"""Required fields of a record, of its data and of the metrics of a split."""


@cache
def made_whole():
    return make_run(**SMALL)


@cache
def whole():
    """The record without hashes: what each kind breaks is found by what it means."""
    return json.loads(json.dumps(made_whole().values))


def changed(path, value):
    """The record with the value at `path` changed; `...` removes it."""
    values = copy.deepcopy(whole())
    place = values
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(values).encode()


def text_damages():
    text = json.dumps(whole())
    return {
        "empty": b"",
        "blank": b"  \n",
        "zeros": b"\x00" * 100,
        "cut in the middle": text[: len(text) // 2].encode(),
        "without its last brace": text[:-1].encode(),
        "doubled": (text + text).encode(),
        "UTF-16": text.encode("utf-16"),
        "a stray byte": text.replace("finished", "fin\udcffished").encode(errors="surrogateescape"),
        "a list": b"[]",
        "a number": b"1",
        "a text": b'"record"',
        "null": b"null",
        "an empty object": b"{}",
        "single quotes": text.replace('"', "'").encode(),
        "a trailing comma": (text[:-1] + ",}").encode(),
        "a comment": ("// a record\n" + text).encode(),
        "too deep": b"[" * 100_000,
        "a pickle": b"\x80\x04\x95\x00",
        "a merge conflict": f"<<<<<<< HEAD\n{text}\n=======".encode(),
        "HTML": b"<html><body>404</body></html>",
        "NaN": text.replace('"accuracy": 0', '"accuracy": NaN, "was": 0', 1).encode(),
        "Infinity": text.replace('"parameters": ', '"parameters": Infinity, "was": ').encode(),
        "a huge number": text.replace('"loss": 0', '"loss": 1e999, "was": 0').encode(),
    }


def value_damages():
    test = ("metrics", "test")
    damages = {f"without {name}": ((name,), ...) for name in REQUIRED}
    damages |= {f"data without {name}": (("data", name), ...) for name in DATA}
    damages |= {f"test without {name}": ((*test, name), ...) for name in SPLIT}
    return damages | {
        "another schema": (("schema_version",), 3),
        "schema of text": (("schema_version",), "1"),
        "negative schema": (("schema_version",), -1),
        "run id too short": (("run_id",), "abc"),
        "run id with a path": (("run_id",), "../../../etc"),
        "another run's id": (("run_id",), "0123456789ab"),
        "unknown status": (("status",), "done"),
        "failed without an error": (("status",), "failed"),
        "finished without metrics": (("metrics",), None),
        "settings of text": (("config",), "layers=1"),
        "accuracy above one": ((*test, "accuracy"), 1.5),
        "negative F1": ((*test, "f1"), -0.1),
        "accuracy of text": ((*test, "accuracy"), "0.97"),
        "accuracy of truth": ((*test, "accuracy"), True),
        "accuracy missing": ((*test, "accuracy"), None),
        "a short confusion": ((*test, "confusion"), [[1]]),
        "a ragged confusion": ((*test, "confusion"), [[1] * 9] * 10),
        "a negative confusion": ((*test, "confusion"), [[-1] * 10] * 10),
        "half an image": ((*test, "confusion"), [[0.5] * 10] * 10),
        "no classes": (("data", "classes"), 0),
        "negative examples": (("data", "n_test"), -1),
        "a negative time": (("time", "train_s"), -1.0),
        "history of text": (("history", "loss"), ["low"]),
        "no such date": (("environment", "started_at"), "yesterday"),
        "threads of text": (("environment", "threads"), "one"),
        "test split of text": (test, "good"),
        "negative parameters": (("parameters",), -3),
    }


KINDS = text_damages() | {name: changed(*damage) for name, damage in value_damages().items()}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return write_sweep(
        tmp_path_factory.mktemp("damaged") / "sweep", [make_run(nodes=50, **SMALL), made_whole()]
    )


@pytest.fixture(scope="module")
def baseline(sweep):
    record(sweep).write_bytes(json.dumps(whole()).encode())
    return baseline_of(load(sweep))


def record(sweep):
    return sweep / "runs" / made_whole().directory_name / "record.json"


def test_there_are_sixty_kinds():
    assert len(KINDS) >= 60


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_record_is_named_with_its_reason(sweep, kind):
    record(sweep).write_bytes(KINDS[kind])
    found = load(sweep)
    assert len(found.records) == 1
    (problem,) = found.problems
    assert problem.path == record(sweep)
    assert len(problem.reason) > 5
    assert "\n" not in problem.reason


@pytest.mark.parametrize("kind", list(KINDS)[::12])
def test_the_commands_say_so_without_a_traceback_and_the_gate_fails(sweep, baseline, kind):
    record(sweep).write_bytes(KINDS[kind])
    result = check_sweep(load(sweep), baseline, Rules(all_finished=False))
    assert any(str(record(sweep)) in one.detail for one in result.failures)
    shown = click.testing.CliRunner().invoke(compare, [str(sweep), str(sweep)])
    assert shown.exit_code == 0
    assert str(record(sweep)) in shown.output


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=4,
)  # fmt: skip


PLACES = list(places(whole()))


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.sampled_from(PLACES), value=JSON)
def test_any_change_of_a_value_is_read_or_named_and_never_breaks_anything(
    sweep, baseline, place, value
):
    record(sweep).write_bytes(changed(place, value))
    found = load(sweep)
    assert len(found.records) + len(found.problems) == 2
    if not found.problems:
        assert check_sweep(found, baseline, Rules()).checks
    elif place in PLACES[::4]:  # some are enough: the gate takes its time
        assert check_sweep(found, baseline, Rules(all_finished=False)).failures


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, 3000), stuffed=st.binary(max_size=20))
def test_any_cut_or_stuffed_record_is_read_or_named(sweep, cut, stuffed):
    text = json.dumps(whole()).encode()
    record(sweep).write_bytes(text[:cut] + stuffed + text[cut + len(stuffed) :])
    found = load(sweep)
    assert len(found.records) + len(found.problems) == 2
    assert all(str(sweep) in str(problem) for problem in found.problems)
