"""A selection in words says which, by what, on which data, and what was left out."""

import pytest

from mnist_sweep.analysis.selection import select
from mnist_sweep.reporting.phrases.names import network_name
from mnist_sweep.reporting.phrases.selection import (
    LineKind,
    differing,
    selection_lines,
    sentences,
)
from support.factories import make_run, reference_grid, runs_table


@pytest.fixture
def table_of(tmp_path):
    """The runs table of some runs."""
    return lambda runs, missing=(): runs_table(tmp_path / "sweep", runs, missing)


@pytest.fixture
def grid(table_of):
    return table_of(reference_grid())


def test_the_first_sentence_is_the_answer(grid):
    selection = select(grid, ["layers=2"], "f1_min")
    settings = selection.chosen.settings
    assert sentences(selection)[0] == (
        f"2 layers x {settings['nodes']} nodes is the worst of 2 configurations where layers=2, "
        f"by validation lowest F1: {selection.chosen.value:.4f} (one run, seed 0)."
    )


def test_repeats_are_named(table_of):
    runs = table_of(reference_grid(seeds=(0, 1, 2)))
    assert "(mean of 3 runs, seeds 0, 1, 2)." in sentences(select(runs, direction="best"))[0]


def test_weakest_digits_and_their_mistakes_are_in_it(grid):
    selection = select(grid)
    weakest = selection.weakest[0]
    digit, count = weakest.mistaken_for[0]
    lines = {line.kind: line.text for line in selection_lines(selection)}
    misread = f"misread as {digit} \N{MULTIPLICATION SIGN}{count}"
    assert f"{weakest.label} (F1 {weakest.f1:.4f}; {misread}" in lines[LineKind.WEAKEST]


def test_a_class_without_mistakes_is_not_weak_and_others_say_what_lowers_them(table_of):
    assert select(table_of([make_run(accuracy=1.0)])).weakest == ()
    one_is_weak = select(table_of([make_run(nodes=9, accuracy=[1.0] * 9 + [0.5])]))
    assert one_is_weak.weakest[0].label == 9
    assert one_is_weak.weakest[0].taken_for_it == ()
    last = one_is_weak.weakest[1]
    assert last.mistaken_for == ()
    assert [k for k, _ in last.taken_for_it] == [9]
    lines = {o.kind: o.text for o in selection_lines(one_is_weak)}
    taken = f"9 \N{MULTIPLICATION SIGN}{last.taken_for_it[0][1]}"
    assert (
        f"{last.label} (F1 {last.f1:.4f}; never misread; others misread as it: {taken})"
        in (lines[LineKind.WEAKEST])
    )


def test_weakest_classes_are_called_by_their_names(table_of):
    run = make_run(accuracy=0.7)
    run.values["data"]["class_names"] = [f"shirt {k}" for k in range(10)]
    runs = table_of([run])
    lines = {o.kind: o.text for o in selection_lines(select(runs))}
    assert ": shirt " in lines[LineKind.WEAKEST]
    assert "misread as shirt " in lines[LineKind.WEAKEST]
    found = select(runs, by="f1.shirt 8")
    assert "by validation F1 of digit shirt 8: " in sentences(found)[0]


def test_what_could_not_be_counted_the_data_and_the_notes_are_in_it(table_of):
    failed = make_run(layers=2, nodes=400, status="failed", bundled=True)
    runs = table_of([*reference_grid(bundled=True), failed], [make_run(layers=5)])
    text = "\n".join(sentences(select(runs, by="test.accuracy")))
    assert f"Excluded (no result yet): {failed.values['label']} (failed: MemoryError" in text
    assert "seed=0 (missing: not run)." in text
    assert "MNIST was not found" in text
    assert "1,000 test examples" in text
    assert "Selected on the test split" in text
    assert "a different seed could change the order" in text


def test_one_candidate_is_not_called_the_worst_of_anything(grid):
    text = sentences(select(grid, ["layers=2", "nodes=300"]))[0]
    assert "the only configuration with a result" in text


def test_names_say_what_differs(table_of):
    runs = [make_run(layers=2, nodes=n, dropout=d) for n in (100, 300) for d in (0, 0.2)]
    selection = select(table_of(runs))
    named = differing(selection)
    assert {network_name(c.settings, named) for c in selection.candidates} == {
        f"2 layers x {n} nodes, dropout={d}" for n in (100, 300) for d in (0, 0.2)
    }


def test_ties_and_times_are_sentences(table_of):
    twins = [make_run(layers=2, nodes=n, train_s=7.0) for n in (10, 20)]
    selection = select(table_of(twins), by="time.train_s")
    lines = {line.kind: line.text for line in selection_lines(selection)}
    assert "by training time: 7.00 s" in lines[LineKind.ANSWER]
    assert lines[LineKind.TIES] == "Tied for worst: 2 layers x 20 nodes."


def test_many_candidates_are_cut_and_counted(table_of):
    runs = [make_run(nodes=n, n_test=50, n_validation=50) for n in range(1, 31)]
    text = "\n".join(sentences(select(table_of(runs))))
    assert "… and 10 more" in text


def test_many_uncounted_runs_are_cut_and_counted(table_of):
    failed = [make_run(nodes=n, status="failed") for n in range(1, 31)]
    text = "\n".join(sentences(select(table_of([*reference_grid(), *failed]))))
    assert "Excluded too: 10 more" in text


def test_hostile_text_is_made_visible(table_of):
    error = {"type": "E", "message": "a\n\x1b[31mb", "traceback": None}
    failed = make_run(layers=3, status="failed", error=error)
    text = "\n".join(sentences(select(table_of([*reference_grid(), failed]))))
    assert "\x1b" not in text


def test_a_network_of_ones_own_is_named_by_its_own_settings(table_of):
    runs = [make_run(model={"_target_": "my.models.resnet", "depth": d}) for d in (18, 50)]
    selection = select(table_of(runs))
    names = {network_name(one.settings, differing(selection)) for one in selection.candidates}
    assert names == {"resnet, depth=18", "resnet, depth=50"}
