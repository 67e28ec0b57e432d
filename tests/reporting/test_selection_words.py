"""A selection in words says which, by what, on which data, and what was left out."""

from mnist_sweep.analysis.selection import select
from mnist_sweep.records.collect import Missing
from mnist_sweep.reporting.conclusions.selection import differing, name_of, sentences
from support.factories import make_run, reference_grid

RUNS = [run.record for run in reference_grid()]


def test_the_first_sentence_is_the_answer():
    selection = select(RUNS, ["layers=2"])
    settings = selection.chosen.settings
    assert sentences(selection)[0] == (
        f"2 layers x {settings['nodes']} nodes is the worst of 2 configurations where layers=2, "
        f"by validation f1_min: {selection.chosen.value:.4f} (one run, seed 0)."
    )


def test_repeats_are_named():
    records = [run.record for run in reference_grid(seeds=(0, 1, 2))]
    assert "(mean of 3 runs, seeds 0, 1, 2)." in sentences(select(records, direction="best"))[0]


def test_weakest_digits_and_their_mistakes_are_in_it():
    selection = select(RUNS)
    weakest = selection.weakest[0]
    digit, count = weakest.mistaken_for[0]
    line = next(line for line in sentences(selection) if line.startswith("Its weakest"))
    assert (
        f"{weakest.label} (F1 {weakest.f1:.4f}; mistaken for {digit} \N{MULTIPLICATION SIGN}{count}"
        in line
    )


def test_what_could_not_be_counted_the_data_and_the_notes_are_in_it():
    failed = make_run(layers=2, nodes=400, status="failed", bundled=True).record
    bundled = [run.record for run in reference_grid(bundled=True)]
    point = Missing("0" * 12, "layers=5", (), "not run")
    text = "\n".join(sentences(select([*bundled, failed], missing=[point], split="test")))
    assert f"Not counted: {failed.label} (failed: MemoryError: out of memory)." in text
    assert "Not counted: layers=5 (missing: not run)." in text
    assert "NOTICE: scikit-learn's bundled digits stand in for MNIST" in text
    assert "1,000 test examples" in text
    assert "Selected on the test split" in text
    assert "another seed may change the order" in text


def test_one_candidate_is_not_called_the_worst_of_anything():
    text = sentences(select(RUNS, ["layers=2", "nodes=300"]))[0]
    assert "the only configuration with a result" in text


def test_names_say_what_differs():
    records = [make_run(layers=2, nodes=n, dropout=d).record for n in (100, 300) for d in (0, 0.2)]
    selection = select(records)
    named = differing(selection.candidates)
    assert {name_of(c, named) for c in selection.candidates} == {
        f"2 layers x {n} nodes, dropout={d}" for n in (100, 300) for d in (0, 0.2)
    }


def test_ties_and_times_are_said():
    twins = [make_run(layers=2, nodes=n, train_s=7.0).record for n in (10, 20)]
    lines = sentences(select(twins, by="time.train_s"))
    assert "by time.train_s: 7.00 s" in lines[0]
    assert lines[1] == "Exactly as bad: 2 layers x 20 nodes."


def test_many_candidates_are_cut_and_counted():
    records = [make_run(nodes=n, n_test=50, n_validation=50).record for n in range(1, 31)]
    text = "\n".join(sentences(select(records)))
    assert "… and 10 more" in text


def test_many_uncounted_runs_are_cut_and_counted():
    failed = [make_run(nodes=n, status="failed").record for n in range(1, 31)]
    text = "\n".join(sentences(select([*RUNS, *failed])))
    assert "Not counted either: … and 10 more" in text


def test_hostile_text_is_made_visible():
    error = {"type": "E", "message": "a\n\x1b[31mb", "traceback": None}
    failed = make_run(layers=3, status="failed", error=error).record
    assert "\x1b" not in "\n".join(sentences(select([*RUNS, failed])))
