"""Records of every schema are read: those in `schema_1/` were written by the first edition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from mnist_sweep.metrics import MetricDefinition, definitions, of_split
from mnist_sweep.records import fields
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import to_json
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import SETTINGS
from support.factories import make_run

FIRST_EDITION = Path(__file__).parent / "schema_1"
RECORDS = sorted(FIRST_EDITION.glob("runs/*/record.json"))
VALUES = make_run(n_test=100, n_validation=50).values


def test_a_directory_of_the_first_edition_is_read():
    found = load(FIRST_EDITION)
    assert found.problems == found.missing == ()
    assert sorted(found.frame["status"]) == ["diverged", "failed", "finished", "pruned"]
    (finished,) = found.frame[found.frame["status"] == RunStatus.FINISHED].to_dict("records")
    assert finished["nodes"] == 16
    assert finished["test.f1_min"] == min(finished[f"test.f1.{digit}"] for digit in range(10))
    assert 0.3 < finished["test.accuracy"] < 1
    assert finished["epochs_trained"] == 3
    (pruned,) = found.frame[found.frame["status"] == RunStatus.PRUNED].to_dict("records")
    assert (pruned["error.type"], pruned["epochs_trained"]) == ("Pruned", 1)


def test_a_setting_that_came_later_had_its_default():
    records = [read_record(path) for path in RECORDS]
    assert not any("outputs" in record.config for record in records)
    for record in records:
        row, own = fields.flat(record), fields.flat_settings(record.config)
        later = set(SETTINGS) & (set(row) - set(own))
        assert "outputs" in later
        assert {key: row[key] for key in later} == {key: SETTINGS[key].default for key in later}
    task = build(make_run().values | {"task": "mine.train", "config": {"task": {}, "seed": 0}})
    assert "outputs" not in fields.flat(task)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_a_record_of_schema_1_loses_nothing(path):
    before = json.loads(path.read_bytes())
    record = read_record(path)
    assert record.schema_version == 1
    written = json.loads(to_json(record))
    assert len(written.pop("sha256")) == 64
    added = dict.fromkeys(("task", "objective", "code", "training"))
    data = {**before["data"], "class_names": []}
    assert written == {**before, **added, "data": data, "artefacts": {}}


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "f1_min", "loss"])
def test_a_network_s_record_without_a_metric_of_schema_1_is_refused(name):
    values = json.loads(to_json(build(VALUES)))
    del values["metrics"]["test"][name]
    with pytest.raises(ValidationError, match=f"metrics.test is without {name}"):
        Record.model_validate(values)


def test_a_task_of_the_user_s_own_may_return_what_it_likes():
    metrics = {"validation": {"accuracy": 0.5, "bleu": 31.4}}
    task = {"task": "mine.train", "code": {"sha256": "a" * 64, "files": {"mine.py": "b" * 64}}}
    record = build({**VALUES, **task, "metrics": metrics, "objective": "validation.bleu"})
    again = Record.model_validate_json(to_json(record))
    assert again == record.model_copy(update={"sha256": again.sha256})
    assert again.schema_version == SCHEMA_VERSION == 2
    row = fields.flat(again)
    assert (row["validation.bleu"], row["validation.accuracy"]) == (31.4, 0.5)
    assert row["validation.f1"] is row["test.accuracy"] is None
    assert row["code.sha256"] == "a" * 64


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "must be a number"), ("high", "valid number"), (True, "valid number"),
     (float("inf"), "must be a number"), ([1], "valid number")],
)  # fmt: skip
def test_a_metric_of_a_task_is_a_finite_number(value, reason):
    metrics = {"validation": {"bleu": value}}
    with pytest.raises(ValidationError, match=reason):
        build({**VALUES, "task": "mine.train", "metrics": metrics})


def test_a_new_metric_needs_no_edit_here(monkeypatch):
    recall = definitions()["recall"]
    kappa = MetricDefinition("kappa", "Kappa", recall.format, True, ("validation", "test"))
    monkeypatch.setitem(definitions(), "kappa", kappa)
    fields._metric_names.cache_clear()
    try:
        assert "kappa" in {one.name for one in of_split("test")}
        values = json.loads(to_json(build(VALUES)))
        assert fields.flat(build(values))["test.kappa"] is None  # an older record
        values["metrics"]["test"]["kappa"] = 0.25
        assert fields.flat(build(values))["test.kappa"] == 0.25
        values["metrics"]["test"]["kappa"] = 25
        with pytest.raises(ValidationError, match="kappa must be between 0 and 1"):
            build(values)
    finally:
        fields._metric_names.cache_clear()


def test_an_epoch_whose_loss_was_not_finite_keeps_the_record():
    values = json.loads(to_json(build(VALUES)))
    values["metrics"]["test"]["loss"] = None
    assert fields.flat(build(values))["test.loss"] is None
