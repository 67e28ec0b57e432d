"""`worst` and `best` say how sure they are, in words and as JSON."""

import json
import shutil

import pytest
from click.testing import CliRunner

from mnist_sweep.analysis.uncertainty import select_with_uncertainty
from mnist_sweep.cli.results import best, worst
from mnist_sweep.records.study_file import Stage, Study, write_study
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.phrases.overview import certainty_line
from mnist_sweep.reporting.phrases.selection import sentences
from mnist_sweep.reporting.phrases.values import chance, p_value
from support.factories import make_run, reference_grid, write_sweep

SIZE = {"n_test": 300, "n_validation": 300}


@pytest.fixture(scope="module")
def close(tmp_path_factory):
    """Two networks that nobody can tell apart, and one that is plainly better."""
    runs = [
        make_run(layers=2, nodes=nodes, accuracy=accuracy, seed=seed, **SIZE)
        for nodes, accuracy in ((100, 0.9), (300, 0.9), (500, 0.999))
        for seed in (0, 1)
    ]
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "close", runs)


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_the_second_sentence_says_how_sure(close):
    found = select_with_uncertainty(load(close), by="accuracy")
    (other,) = found.not_distinguishable
    assert sentences(found)[1] == (
        f"{chance(found.probability)}; not distinguishable from 2 layers x "
        f"{other.settings['nodes']} nodes (undecided)."
    )


def test_of_a_study_it_is_said_among_which_stages(close):
    found = select_with_uncertainty(load(close), by="accuracy", direction="best")
    stages = Stage(name="grid"), Stage(name="dropout", of="grid")
    assert certainty_line(found) == "P > 0.99 that it is the best; distinguishable from all others."
    assert "the best of stage grid; " in certainty_line(found, Study(stages=stages))


def test_what_is_shown_to_lie_within_the_margin_is_called_equivalent(close):
    found = select_with_uncertainty(load(close), by="accuracy", margin=0.5)
    assert len(found.equivalent) == len(found.candidates) - 1
    (other,) = found.not_distinguishable
    assert sentences(found)[1].endswith(
        f"; equivalent within 50 points to 2 layers x {other.settings['nodes']} nodes."
    )
    assert "equivalent within 50 points (corrected p" in "\n".join(sentences(found))


def test_a_plain_winner_is_distinguishable_from_all_others(close):
    assert sentences(select_with_uncertainty(load(close), by="accuracy", direction="best"))[1] == (
        "P > 0.99; distinguishable from all others."
    )


def test_single_runs_are_said_not_to_tell_of_other_seeds(tmp_path):
    directory = write_sweep(tmp_path / "grid", reference_grid(**SIZE))
    text = "\n".join(sentences(select_with_uncertainty(load(directory))))
    assert "One run each, so a different seed could reverse this; of these runs it would be" in text
    assert "300 validation examples and one run each: it covers examples, not seeds." in text
    assert "a different seed could change the order" not in text  # said once


def test_repeats_are_said_to_cover_seeds_and_shown_with_their_spread(tmp_path):
    directory = write_sweep(tmp_path / "grid", reference_grid(seeds=(0, 1), **SIZE))
    text = "\n".join(sentences(select_with_uncertainty(load(directory))))
    assert "300 validation examples and 2 runs each: it covers examples and seeds." in text
    assert " ± " in text


def test_each_candidate_has_its_probability(close):
    found = select_with_uncertainty(load(close), by="accuracy")
    text = "\n".join(sentences(found))
    for candidate, sure in found.others:
        apart = "differs" if sure.distinguishable else "not distinguishable, undecided"
        line = f"{chance(sure.probability)}, {apart} (corrected p {p_value(sure.p_value)})"
        assert f"{candidate.settings['nodes']} nodes (mean of 2 runs, seeds 0, 1); {line}" in text


def test_what_is_not_known_is_said(tmp_path):
    directory = write_sweep(tmp_path / "grid", reference_grid(**SIZE))
    assert (
        "Uncertainty not known: the runs' predictions do not show how validation loss"
        in "\n".join(sentences(select_with_uncertainty(load(directory), by="loss")))
    )
    next(directory.glob("runs/*/predictions.npz")).unlink()
    assert sentences(select_with_uncertainty(load(directory)))[1].startswith(
        "Uncertainty not known: Expected a run's predictions at"
    )


def test_a_failed_candidate_might_have_changed_the_selection(tmp_path):
    runs = [*reference_grid(**SIZE), make_run(layers=2, nodes=500, status="failed")]
    text = "\n".join(sentences(select_with_uncertainty(load(write_sweep(tmp_path / "s", runs)))))
    assert (
        "Excluded (no result yet): layers=2,nodes=500,seed=0 (failed: MemoryError: out of memory)."
        in text
    )
    assert "With the excluded runs, a different configuration might have been selected." in text


def test_worst_prints_how_sure_it_is(close):
    result = invoke(worst, close, "--by", "accuracy", "--level", "0.9", "--replicates", "200")
    assert "not distinguishable from 2 layers x" in result.stdout
    assert "(level 0.9, 200 replicates)" in result.stdout


def test_best_as_json_holds_the_uncertainty(close):
    result = invoke(best, close, "--by", "accuracy", "--split", "test", "--format", "json")
    value = json.loads(result.stdout)
    expected = select_with_uncertainty(load(close), (), "accuracy", "best", split="test").to_json()
    assert value == {**expected, "problems": []}
    assert value["uncertainty"]["probability"] > 0.99
    assert "selected on the test split" in value["notes"]


@pytest.mark.parametrize(
    "arguments", [("--level", "1"), ("--level", "95"), ("--replicates", "5"), ("--level", "x")]
)
def test_a_senseless_level_or_count_is_a_wrong_command_line(close, arguments):
    result = invoke(worst, close, *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


@pytest.mark.parametrize(
    ("probability", "text"),
    [(1.0, "P > 0.99"), (0.996, "P > 0.99"), (0.624, "P = 0.62"), (0.0, "P < 0.01")],
)
def test_no_probability_is_called_certain(probability, text):
    assert chance(probability) == text


def test_best_of_a_study_says_that_all_stages_count(close, tmp_path):
    copy = shutil.copytree(close, tmp_path / "study")
    assert "study" not in invoke(best, copy).stderr
    first, later = Stage(name="grid"), Stage(name="dropout", of="grid")
    write_study(copy, Study(stages=[first, later]))
    assert "select from stage grid alone" in " ".join(invoke(best, copy).stderr.split())
