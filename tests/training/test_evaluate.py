"""Metrics are scikit-learn's, and stored predictions hold them."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from mnist_sweep import metrics
from mnist_sweep.data import prepare
from mnist_sweep.errors import DataError
from mnist_sweep.metrics import Format, MetricDefinition
from mnist_sweep.training import model, train
from mnist_sweep.training.evaluate import held_out_metrics
from support.training_settings import settings


def test_metrics_of_a_split_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 300).astype(np.uint8)
    predicted = np.where(rng.random(300) < 0.7, truth, rng.integers(0, 5, 300))
    predicted[predicted == 3] = 0  # a class that is never predicted
    found = held_out_metrics("test", truth, predicted, 0.5, classes=6)
    macro = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=np.unique(truth), average="macro", zero_division=0
    )
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(macro[:3])
    assert found["accuracy"] == sklearn_metrics.accuracy_score(truth, predicted)
    assert found["f1_min"] == min(row["f1"] for row in found["per_class"]) == 0
    assert [sum(row) for row in found["confusion"]] == np.bincount(truth, minlength=6).tolist()
    assert [row["support"] for row in found["per_class"]] == np.bincount(
        truth, minlength=6
    ).tolist()


@pytest.mark.parametrize("absent", [[9], [0, 3], list(range(1, 10)), []])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_class_without_examples_does_not_count(split, absent):
    rng = np.random.default_rng(1)
    truth = rng.choice(np.setdiff1d(np.arange(10), absent), 400).astype(np.uint8)
    # Wrong predictions may be of the absent classes.
    predicted = np.where(rng.random(400) < 0.8, truth, rng.integers(0, 10, 400))
    found = held_out_metrics(split, truth, predicted, 0.5, classes=10)
    present = np.unique(truth)
    options = {"labels": present, "zero_division": 0}
    macro = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, average="macro", **options
    )
    of_classes = sklearn_metrics.precision_recall_fscore_support(truth, predicted, **options)
    assert (found["precision"], found["recall"], found["f1"]) == pytest.approx(macro[:3])
    assert found["f1_min"] == pytest.approx(of_classes[2].min())
    assert found["f1_min"] > 0.5
    assert [found["per_class"][label]["f1"] for label in absent] == [0] * len(absent)


def test_absent_classes_are_left_out_of_each_sample_on_its_own():
    rng = np.random.default_rng(0)
    support = rng.integers(0, 3, (1, 50, 4)).astype(float)  # samples lack different classes
    support[0, 0] = 0
    hits = np.floor(support * rng.random((2, 50, 4)))
    predicted = hits + rng.integers(0, 2, hits.shape)
    for name in ("precision", "recall", "f1", "f1_min"):
        metric = metrics.resolve(name)
        together = metric.compute(support, predicted, hits)
        assert together.shape == (2, 50)
        assert together[:, 0].tolist() == [0, 0]
        for run, sample in np.ndindex(2, 50):
            kept = support[0, sample] > 0
            if kept.any():
                counts = support[0, sample], predicted[run, sample], hits[run, sample]
                alone = metric.compute(*(one[kept] for one in counts))
                assert together[run, sample] == pytest.approx(float(alone))


@pytest.fixture(scope="module")
def result():
    options = settings(data__name="digits", epochs=3)
    info = prepare(options["data"])
    return train.train(options, info, lambda shape, classes: model.mlp(shape, classes, 1, 32))


def test_data_overwritten_during_a_run_fail_it(tmp_path):
    options = settings(data__name="digits", epochs=1)
    info = prepare(options["data"], {"MNIST_SWEEP_CACHE": str(tmp_path), "HOME": str(tmp_path)})

    def overwrite(*_):
        with (Path(info.cache) / "train_images.npy").open("r+b") as file:
            file.seek(-2000, os.SEEK_END)
            file.write(bytes(2000))

    with pytest.raises(DataError, match="it was changed"):
        train.train(options, info, lambda *one: model.mlp(*one, 1, 8), overwrite)


def test_a_results_metrics_follow_from_its_stored_predictions(result):
    for split in ("validation", "test"):
        truth = result.predictions[f"{split}_true"]
        predicted = result.predictions[f"{split}_predicted"]
        expected = held_out_metrics(split, truth, predicted, result.metrics[split]["loss"], 10)
        assert result.metrics[split] == expected
        assert predicted.dtype == np.uint8
        assert result.predictions[f"{split}_probability"].dtype == np.float16


def test_the_saved_networks_predictions_are_the_stored_ones(result, tmp_path):
    import keras

    from mnist_sweep.data import load

    path = tmp_path / "model.keras"
    result.network.save(path)
    loaded = keras.saving.load_model(path, safe_mode=True)
    data = load(prepare(settings(data__name="digits")["data"]))
    probabilities = loaded.predict(data.test_images.astype("float32") / 16, verbose=0)
    np.testing.assert_array_equal(
        probabilities.argmax(axis=1), result.predictions["test_predicted"]
    )


def test_the_same_point_gives_the_same_bits_again(result):
    options = settings(data__name="digits", epochs=3)
    info = prepare(options["data"])
    again = train.train(options, info, lambda shape, classes: model.mlp(shape, classes, 1, 32))
    assert again.metrics == result.metrics
    for name, values in result.predictions.items():
        np.testing.assert_array_equal(values, again.predictions[name])
    assert again.training.history == result.training.history


def test_another_seed_gives_another_network(result):
    options = settings(data__name="digits", epochs=3, seed=1)
    info = prepare(options["data"])
    other = train.train(options, info, lambda shape, classes: model.mlp(shape, classes, 1, 32))
    assert other.metrics != result.metrics


def test_rows_of_classes_are_those_of_scikit_learn():
    rng = np.random.default_rng(2)
    truth, predicted = rng.integers(0, 10, (2, 500)).astype(np.uint8)
    found = held_out_metrics("validation", truth, predicted, 0.5, classes=10)
    columns = sklearn_metrics.precision_recall_fscore_support(truth, predicted)
    for name, values in zip(("precision", "recall", "f1", "support"), columns, strict=True):
        assert [row[name] for row in found["per_class"]] == values.tolist()
    assert found["confusion"] == sklearn_metrics.confusion_matrix(truth, predicted).tolist()


def test_a_metric_added_to_the_registry_is_measured_on_its_splits(monkeypatch):
    def kappa(support, predicted, hits):
        n = support.sum(axis=-1)
        chance = (support * predicted).sum(axis=-1) / n**2
        return (hits.sum(axis=-1) / n - chance) / (1 - chance)

    added = MetricDefinition("kappa", "Cohen's kappa", Format.SHARE, True, ("test",), kappa)
    known = metrics.definitions()
    monkeypatch.setattr(metrics, "definitions", lambda: {**known, "kappa": added})
    rng = np.random.default_rng(1)
    truth, predicted = rng.integers(0, 4, (2, 80)).astype(np.uint8)
    found = held_out_metrics("test", truth, predicted, 0.5, classes=4)
    assert found["kappa"] == pytest.approx(sklearn_metrics.cohen_kappa_score(truth, predicted))
    assert "kappa" not in held_out_metrics("validation", truth, predicted, 0.5, classes=4)
