"""Conclusions are sentences made from the numbers, each with its split and its certainty."""

import json
import re
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest

from mnist_sweep.analysis.statistics import difference, of_values
from mnist_sweep.analysis.study_effect import study_effects
from mnist_sweep.analysis.weakest import weakest_classes
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.study_file import write_study as write
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.phrases.conclusions import ConclusionKind
from mnist_sweep.reporting.phrases.values import not_distinguishable
from mnist_sweep.reporting.summary import CLAIMS, NETWORKS, conclusions, is_reference
from support.factories import (
    make_run,
    reference_grid,
    run_directories,
    write_run,
    write_study,
    write_sweep,
)

SIZE = {"n_test": 1000, "n_validation": 600}
REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "reported.json"


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The report as a study, of single runs and with three repeats."""
    root = tmp_path_factory.mktemp("studies")
    for repeats in (1, 3):
        write_study(root / str(repeats), repeats, **SIZE)
    return root


def concluded(directory):
    return conclusions(load(directory), load_study(directory))


def about(found, beginning):
    return next(one for one in found if re.match(beginning, one.text))


def finished(directory, **settings):
    records = load(directory).records
    return [r for r in records if settings.items() <= r.config.items() and r.metrics]


def test_the_argument_is_told_in_order(studies):
    texts = [one.text for one in concluded(studies / "3")]
    beginnings = (
        "The best network is", "The hardest digits", "The worst of 2 configurations",
        "dropout=0.2 changed the test accuracy", "dropout=0.2 changed the test lowest F1",
        "The runs by which 2 layers x", "Digit by digit", "2 layers x",
    )  # fmt: skip
    assert len(texts) == len(beginnings)
    for text, beginning in zip(texts, beginnings, strict=True):
        assert text.startswith(beginning)


@pytest.mark.parametrize("repeats", ["1", "3"])
def test_every_sentence_has_its_number_its_split_and_its_certainty(studies, repeats):
    for one in concluded(studies / repeats):
        assert one.number
        assert one.certainty
        assert re.search(r"\b(test|validation)\b", one.text)
        assert re.search(r"\d", one.number)


def test_the_best_network_is_chosen_on_validation_and_its_test_accuracy_stated(studies):
    first = concluded(studies / "3")[0]
    runs = finished(studies / "3", layers=1, nodes=300)
    accuracy = 100 * fmean(r.metrics.test.accuracy for r in runs)
    assert first.number == f"test accuracy {accuracy:.2f} %"
    assert "1 layer x 300 nodes" in first.text
    assert "the highest validation accuracy of 4 configurations" in first.text
    assert "test split of MNIST" in first.text
    assert "95 % interval" in first.certainty


def test_the_hardest_digits_and_their_mistakes_are_the_records_own(studies):
    one = about(concluded(studies / "1"), "The hardest digits for 1 layer x 300 nodes, test split")
    (run,) = finished(studies / "1", layers=1, nodes=300)
    weak = weakest_classes([run], "test")
    for entry in weak:
        assert f"{entry.label} (F1 {entry.f1:.4f})" in one.text
        label, count = entry.mistaken_for[0]
        assert run.metrics.test.confusion[entry.label][label] == count
        assert re.search(rf"misread as {label} \({count}\b", one.text)
    assert one.number == f"F1 {weak[0].f1:.4f} (digit {weak[0].label})"
    assert "one run, so a different seed could change the order" in one.certainty


def test_a_digit_that_is_plainly_hardest_is_called_so(tmp_path):
    accuracy = [0.99] * 8 + [0.6, 0.99]
    runs = [make_run(seed=s, accuracy=accuracy, **SIZE) for s in range(5)]
    found = conclusions(load(write_sweep(tmp_path / "s", runs)))
    assert "8 is distinguishably the hardest" in found[1].certainty


def test_a_digit_that_is_never_misread_is_hard_only_by_those_taken_for_it(tmp_path):
    accuracy = [1.0] * 9 + [0.5]
    found = conclusions(load(write_sweep(tmp_path / "s", [make_run(accuracy=accuracy, **SIZE)])))
    assert re.search(r"\), never misread; others misread as it: 9 \(\d+\)", found[1].text)
    perfect = conclusions(load(write_sweep(tmp_path / "p", [make_run(accuracy=1.0, **SIZE)])))
    assert not any("hardest" in one.text for one in perfect)


def test_the_worst_is_the_study_s_own_selection_with_its_certainty(studies):
    study = load_study(studies / "3")
    value = study.stages[0].selection
    one = about(concluded(studies / "3"), "The worst of 2 configurations where layers=2")
    assert one.number == f"validation lowest F1 {value['chosen']['value']:.4f}"
    assert re.match(r"P [=<>] 0\.\d\d; ", one.certainty)
    assert "; its weakest digit there is" in one.text


def test_the_effect_is_that_on_fresh_seeds_beside_the_naive(studies):
    found = concluded(studies / "3")
    (effect,) = study_effects(load_study(studies / "3"), load(studies / "3"))
    overall = effect.overall["accuracy"]
    one = about(found, "dropout=0.2 changed the test accuracy of 2 layers x 300 nodes")
    assert one.number == f"{100 * overall.estimate:+.2f} points"
    assert f"from {100 * overall.first:.2f} % to {100 * overall.second:.2f} %" in one.text
    assert "(means over 3 new seeds, same examples)" in one.text
    ends = f"{100 * overall.low:+.2f} to {100 * overall.high:+.2f} points"
    assert f"95 % interval {ends}" in one.certainty
    naive = about(found, "The runs by which 2 layers x 300 nodes was selected")
    assert f"{100 * effect.naive:+.2f} points" in naive.text
    assert f"already changed it by {100 * effect.retraining:+.2f} points" in naive.text


def test_an_interval_without_0_is_explained_where_the_correction_decides():
    rng = np.random.default_rng(3)
    runs = [of_values(mean + 0.001 * rng.standard_normal(3)) for mean in (0.95, 0.97)]
    clear = difference(*runs)
    assert clear.low > 0
    assert not_distinguishable(clear) == (
        "not distinguishable, as one of many tests may differ by chance (undecided)"
    )
    assert not_distinguishable(replace(clear, low=-0.001)) == "not distinguishable (undecided)"


def test_what_cannot_be_told_apart_is_said_so(tmp_path):
    write_study(tmp_path / "s", 3, changed=0.955, **SIZE)
    one = about(concluded(tmp_path / "s"), "dropout=0.2 changed the test accuracy")
    assert one.text.endswith(": not distinguishable (undecided).")


def test_a_large_effect_is_called_better_and_names_its_digits(tmp_path):
    write_study(tmp_path / "s", 3, changed=0.999, **SIZE)
    found = concluded(tmp_path / "s")
    assert about(found, "dropout=0.2 changed the test accuracy").text.endswith(
        "distinguishably better."
    )
    assert "distinguishably for" in about(found, "Digit by digit").text


def test_single_runs_are_said_as_such(studies):
    found = concluded(studies / "1")
    assert "(one run)" in found[0].text
    for one in found:
        assert "not seeds" in one.certainty or "without a control" in one.number
    changed = about(found, "dropout=0.2 changed the test accuracy")
    assert "(one new seed each, same examples)" in changed.text


def test_with_repeats_other_seeds_are_covered(studies):
    found = concluded(studies / "3")
    assert "(mean of 3 runs)" in found[0].text
    assert all("not seeds" not in one.certainty for one in found)


def test_a_selection_on_the_test_split_is_said_wherever_it_matters(tmp_path):
    write_study(tmp_path / "s", 1, split="test", **SIZE)
    found = concluded(tmp_path / "s")
    assert "selected on the test split" in found[0].text
    assert "It was selected on the test split." in about(found, "The worst of").text
    assert "also selected on the test split" in about(found, "dropout=0.2 changed").certainty


@pytest.mark.slow
def test_several_changes_are_corrected_over_each_other(tmp_path):
    directory = tmp_path / "s"
    study = write_study(directory, 2, **SIZE)
    more = [make_run(layers=2, nodes=300, dropout=0.5, seed=s, **SIZE) for s in (2, 3)]
    for run in more:
        paths = SweepPaths(directory).run(run.values["label"], run.values["run_id"])
        write_run(run, paths.directory)
    stage = study.stages[1]
    stage = stage.model_copy(
        update={
            "run_ids": (*stage.run_ids, *(run.values["run_id"] for run in more)),
            "changed": {**stage.changed, more[0].values["configuration_id"]: {"dropout": 0.5}},
        }
    )
    write(directory, study.model_copy(update={"stages": (study.stages[0], stage)}))
    found = concluded(directory)
    for change in ("0.2", "0.5"):
        one = about(found, f"dropout={change} changed the test accuracy")
        assert "p is corrected for all tests of the study" in one.certainty
        assert one.text.count("new seeds") == 1


def test_an_effect_that_is_not_known_is_said_and_why(tmp_path):
    study = write_study(tmp_path / "s", 1, **SIZE)
    places = run_directories(tmp_path / "s")
    (places[study.stages[1].control_run_ids[0]] / "record.json").unlink()
    one = about(concluded(tmp_path / "s"), "The effect of dropout=0.2")
    assert "no seed on which both" in one.text


def test_a_blocked_stage_is_said(tmp_path):
    study = write_study(tmp_path / "s", 1, **SIZE)
    blocked = study.stages[1].model_copy(
        update={"status": "blocked", "reason": "all failed", "changed": {}}
    )
    write(tmp_path / "s", study.model_copy(update={"stages": (study.stages[0], blocked)}))
    texts = [one.text for one in concluded(tmp_path / "s")]
    assert "Stage dropout could not run: all failed" in texts


def test_failed_candidates_are_never_left_out(tmp_path):
    runs = [*reference_grid(**SIZE), make_run(layers=2, nodes=900, status="failed")]
    found = conclusions(load(write_sweep(tmp_path / "s", runs)))
    for one in (found[0], about(found, "The worst of 2")):
        assert "layers=2,nodes=900,seed=0 (failed); they could change this" in one.text


def test_a_sweep_without_a_study_has_its_best_its_digits_and_its_worst(tmp_path):
    found = conclusions(load(write_sweep(tmp_path / "s", reference_grid(**SIZE))))
    assert len(found) == 3
    assert "where layers=2" in found[2].text
    single = conclusions(load(write_sweep(tmp_path / "one", [make_run(**SIZE)])))
    assert "is the only configuration with a result" in single[0].text
    assert len(single) == 2


def test_without_any_result_nothing_is_concluded(tmp_path):
    assert conclusions(load(write_sweep(tmp_path / "s", [make_run(status="failed")]))) == []


def test_without_predictions_the_reason_stands_where_the_certainty_would(tmp_path):
    directory = write_sweep(tmp_path / "s", reference_grid(**SIZE))
    for file in directory.glob("runs/*/predictions.npz"):
        file.unlink()
    found = conclusions(load(directory))
    assert all("no such file" in one.certainty for one in found)


def test_the_same_records_give_the_same_sentences(studies):
    assert concluded(studies / "1") == concluded(studies / "1")


def test_bundled_digits_are_never_called_mnist(tmp_path):
    runs = reference_grid(bundled=True, **SIZE)
    found = conclusions(load(write_sweep(tmp_path / "s", runs)))
    assert "bundled digits (NOT MNIST)" in found[0].text


def test_the_reported_claims_stand_beside(studies):
    found = concluded(studies / "1")
    assert found[0].reported == (
        "1 layer x 300 nodes, test accuracy 97.9 %, F1 0.98; one run of each network."
    )
    assert found[1].reported.startswith("3, 5, 8 for 1 layer x 300 nodes, most often misread 3 as")
    assert found[2].reported.startswith("2 layers x 300 nodes, by the lowest F1 of a digit")
    assert found[3].reported.startswith("+0.4 points (97.3 to 97.7 %)")
    assert found[4].reported.startswith("+0.01 (0.96 to 0.97)")
    assert found[7].reported.startswith("97.7 % against 97.9 % (-0.2 points)")


def five_networks(**more):
    return [
        *reference_grid(**SIZE, **more),
        make_run(layers=2, nodes=300, dropout=0.2, **SIZE, **more),
    ]


@pytest.mark.slow
def test_the_published_figures_stand_only_beside_the_report_s_networks_on_mnist(tmp_path):
    made = {
        "reference": five_networks(),
        "digits": five_networks(bundled=True),
        "more": [*five_networks(), make_run(layers=3, **SIZE)],
        "fewer": reference_grid(**SIZE),
        "own": [make_run(model={"_target_": "my.models.resnet"}, **SIZE)],
    }
    sweeps = {name: load(write_sweep(tmp_path / name, runs)) for name, runs in made.items()}
    assert {name: is_reference(one, None) for name, one in sweeps.items()} == {
        "reference": True, "digits": False, "more": False, "fewer": False, "own": False,
    }  # fmt: skip
    assert all(one.reported for one in conclusions(sweeps["reference"]))
    assert not any(one.reported for one in conclusions(sweeps["more"]))


def test_conclusions_say_what_they_are_about(studies):
    assert [one.kind for one in concluded(studies / "1")] == [
        ConclusionKind.BEST, ConclusionKind.HARDEST_CLASSES, ConclusionKind.SELECTED,
        ConclusionKind.EFFECT, ConclusionKind.EFFECT, ConclusionKind.RETRAINING,
        ConclusionKind.CLASS_EFFECTS, ConclusionKind.AGAINST_BEST,
    ]  # fmt: skip


def test_networks_of_ones_own_have_no_worst_two_layer_network(tmp_path):
    runs = [
        make_run(model={"_target_": "my.models.resnet", "depth": d}, layers=2, **SIZE)
        for d in (18, 50)
    ]
    found = conclusions(load(write_sweep(tmp_path / "s", runs)))
    assert [one.kind for one in found] == [ConclusionKind.BEST, ConclusionKind.HARDEST_CLASSES]
    assert "resnet, depth=" in found[0].text


def test_the_reported_figures_are_the_published_ones():
    if not REFERENCE.exists():
        pytest.skip("the published figures are not beside this checkout")
    published, ours = json.loads(REFERENCE.read_text()), CLAIMS
    models, claims = published["models"], published["claims"]
    networks = {(one["layers"], one["nodes"], one["dropout"]) for one in models}
    assert networks == NETWORKS
    best, worst = (models[claims[f"{k}_model"] - 1] for k in ("best", "worst_two_layer"))
    changed = next(one for one in models if one["dropout"])
    assert ours["best"].startswith(
        f"1 layer x {best['nodes']} nodes, test accuracy {100 * best['test_accuracy']:.1f} %, "
        f"F1 {best['f1']:.2f};"
    )
    assert best["layers"] == 1
    digits = ", ".join(map(str, claims["hard_digits"]))
    misread = "; ".join(
        f"{digit} as {' and '.join(map(str, claims['confusions_true_to_predicted'][str(digit)]))}"
        for digit in claims["hard_digits"]
    )
    assert ours["hardest digits"].startswith(f"{digits} for 1 layer")
    assert ours["hardest digits"].endswith(f"most often misread {misread}.")
    lowest, last = claims["worst_digit_f1"], claims["dropout_model_min_digit_f1"]
    assert ours["worst"].startswith(f"{worst['layers']} layers x {worst['nodes']} nodes, by")
    assert (
        f"({lowest['f1']}, digits {lowest['digits'][0]} and {lowest['digits'][1]})"
        in (ours["worst"])
    )
    before, after, top = (100 * one["test_accuracy"] for one in (worst, changed, best))
    assert ours["accuracy"].startswith(
        f"{after - before:+.1f} points ({before:.1f} to {after:.1f} %) for 2 layers x "
        f"{changed['nodes']} nodes, dropout={changed['dropout']};"
    )
    assert ours["f1_min"].startswith(
        f"{last - lowest['f1']:+.2f} ({lowest['f1']:.2f} to {last:.2f}) for 2 layers x"
    )
    assert ours["against best"].startswith(
        f"{after:.1f} % against {top:.1f} % ({after - top:+.1f} points);"
    )


def test_the_changed_network_is_stated_beside_the_best(studies):
    one = concluded(studies / "3")[-1]
    best = fmean(r.metrics.test.accuracy for r in finished(studies / "3", layers=1, nodes=300))
    changed = fmean(r.metrics.test.accuracy for r in finished(studies / "3", dropout=0.2))
    assert one.number == f"{100 * (changed - best):+.2f} points"
    assert f"test accuracy {100 * changed:.2f} % against {100 * best:.2f} %, " in one.text


def test_digits_of_equal_difficulty_are_not_told_apart(tmp_path):
    runs = [make_run(seed=s, accuracy=0.97, **SIZE) for s in range(3)]
    certainty = conclusions(load(write_sweep(tmp_path / "s", runs)))[1].certainty
    assert "no digit is distinguishable from" in certainty


def test_only_digits_that_are_easier_beyond_doubt_are_told_from_the_hardest(tmp_path):
    # 6 and 8 are equally hard, and neither is mistaken for the other.
    accuracy = [0.999] * 6 + [0.7, 0.999, 0.7, 0.999]
    runs = [make_run(seed=s, accuracy=accuracy, **SIZE) for s in range(5)]
    one = conclusions(load(write_sweep(tmp_path / "s", runs)))[1]
    hardest = int(re.search(r"digit (\d)", one.number)[1])
    assert f"not distinguishable from {hardest} as the hardest: {14 - hardest} (" in one.certainty
