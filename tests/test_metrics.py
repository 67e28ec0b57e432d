"""Metrics are found by the names people use."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from mnist_sweep.errors import SelectionError, UsageError
from mnist_sweep.metrics import Metric, named_metric, of_split, overall, resolve
from mnist_sweep.records.fields import flat, value_of
from support.factories import make_run
from support.plugin_package import installed

RECORD = make_run().record


@pytest.mark.parametrize(
    ("name", "column", "higher"),
    [
        ("f1_min", "validation.f1_min", True), ("accuracy", "validation.accuracy", True),
        ("test.f1_min", "test.f1_min", True), ("loss", "validation.loss", False),
        ("validation.loss", "validation.loss", False), ("f1.8", "validation.f1.8", True),
        ("test.recall.0", "test.recall.0", True), ("f1.08", "validation.f1.8", True),
        ("time.train_s", "time.train_s", False), ("parameters", "parameters", False),
        ("train.accuracy", "train.accuracy", True), ("train.loss", "train.loss", False),
    ],
)  # fmt: skip
def test_a_name_means_a_column_of_the_record(name, column, higher):
    metric = resolve(name)
    assert (metric.column, metric.higher_is_better) == (column, higher)
    assert value_of(RECORD, metric) == flat(RECORD)[column]


def test_a_split_before_the_dot_goes_before_the_default():
    assert resolve("f1", "test").column == "test.f1"
    assert resolve("validation.f1", "test").column == "validation.f1"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("f1min", "did you mean f1_min"), ("acuracy", "did you mean accuracy"), ("zzzz", "known:"),
     ("f1.x", "No metric"), ("train.f1", "No metric"), ("", "known:"), ("layers", "No metric")],
)  # fmt: skip
def test_an_unknown_metric_is_refused_with_a_hint(name, hint):
    with pytest.raises(SelectionError, match=hint):
        resolve(name)


def test_a_class_that_is_not_there_is_refused():
    assert resolve("f1.9", classes=10)
    with pytest.raises(SelectionError, match="0 to 9"):
        resolve("f1.10", classes=10)


def test_an_unknown_split_is_refused():
    with pytest.raises(SelectionError, match="validation, test"):
        resolve("f1", "train")


def test_an_epoch_s_time_is_the_median_so_that_a_slow_first_one_does_not_count():
    run = make_run(epochs=3)
    run.values["time"]["epoch_s"] = [9.0, 1.0, 2.0]
    assert flat(run.record)["time.epoch_s"] == 2.0
    run.values["time"]["epoch_s"] = []
    assert flat(run.record)["time.epoch_s"] is None


KAPPA = """
from mnist_sweep.metrics import Format, MetricDefinition

def _from_counts(support, predicted, hits):
    total = support.sum(axis=-1)
    chance = (support * predicted).sum(axis=-1) / total**2
    return (hits.sum(axis=-1) / total - chance) / (1 - chance)

kappa = MetricDefinition(
    "kappa", "Cohen's kappa", Format.SHARE, True, ("validation", "test"), _from_counts
)
"""


def test_a_metric_of_another_package_is_found_and_computed(tmp_path):
    truth, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 2])
    matrix = confusion_matrix(truth, predicted)
    counts = (matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix))
    with installed(tmp_path, "metrics", "kappa", KAPPA):
        metric = resolve("test.kappa")
        assert metric.column == "test.kappa"
        assert metric in [Metric(one, "test") for one in of_split("test")]
        assert metric.compute(*counts) == pytest.approx(cohen_kappa_score(truth, predicted))
    with pytest.raises(SelectionError, match="kappa"):
        resolve("test.kappa")


def test_a_plugin_that_cannot_be_imported_is_named(tmp_path):
    with (
        installed(tmp_path, "metrics", "kappa", "raise ValueError('broken')"),
        pytest.raises(UsageError, match=r"entry point kappa .*ValueError: broken"),
    ):
        resolve("kappa")


@pytest.mark.parametrize(
    ("name", "higher"),
    [("rmse", False), ("test.log_loss", False), ("valLoss", False), ("error_rate", False),
     ("RMSE2", False), ("fit_s", False), ("latency-ms", False), ("runtime", False),
     ("sentiment_f1", True), ("preferred", True), ("lossless_share", True), ("reward", True)],
)  # fmt: skip
def test_the_direction_of_a_free_metric_is_guessed_from_whole_words(name, higher):
    assert named_metric(name, "test").higher_is_better is higher


def test_a_declared_direction_beats_the_guess_from_the_name():
    columns = ["test.latency", "validation.latency", "test.accuracy"]
    for objective, expected in (("highest:test.latency", True), ("test.accuracy", False)):
        found = {one.column: one.higher_is_better for one in overall(columns, objective)}
        assert found == {
            "test.latency": expected, "validation.latency": expected, "test.accuracy": True
        }  # fmt: skip
