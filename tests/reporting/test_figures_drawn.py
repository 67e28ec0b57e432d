"""What is drawn is what the data say: texts, axes and bytes of real Matplotlib figures."""

import os
import shutil
import signal
import sys

import numpy as np
import pytest

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.figures import (
    all_figures,
    confusion,
    curves,
    difference,
    f1_by_digit,
    style,
)
from mnist_sweep.reporting.figures.drawing import Drawing
from mnist_sweep.reporting.figures.gallery import gallery_of
from support.factories import make_run, reference_grid, write_sweep
from support.shown import OBJECTIVE, configurations

forking = pytest.mark.skipif(sys.platform != "linux", reason="figures are forked off on Linux only")


@pytest.fixture(autouse=True)
def _styled():
    with style.styled():
        yield


def test_the_confusion_matrix_s_cells_stand_where_its_axes_say():
    run = make_run()
    axes = confusion.draw(confusion.confusion_of([run.record]), "title").axes[0]
    assert axes.get_xlabel() == "True class"
    assert axes.xaxis.get_label_position() == "top"
    assert axes.get_ylabel() == "Predicted class"
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(k) for k in range(10)]
    record = run.values["metrics"]["test"]["confusion"]
    drawn = {text.get_position(): text.get_text() for text in axes.texts}
    for true in range(10):
        for predicted in range(10):
            count = record[true][predicted]
            text = drawn[true, predicted]
            assert text.split("\n")[0] == (f"{count:,}" if count or true == predicted else "·")
            if count:
                assert text.split("\n")[1] == f"{100 * count / sum(record[true]):.1f}"


def test_the_difference_names_who_is_worse_and_shows_signs():
    first, second = (confusion.confusion_of([make_run(nodes=n).record]) for n in (100, 300))
    found = difference.difference_of(first, second)
    figure = difference.draw(found, "small", "large", "title")
    texts = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    value = found.counts[0, 0]
    assert texts[0, 0] == (f"{value:+.0f}".replace("-", "\N{MINUS SIGN}") if value else "·")
    assert "large is worse" in figure._supxlabel.get_text()


def test_the_heat_map_s_numbers_stand_in_the_right_cells(tmp_path):
    runs = reference_grid()
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    axes = f1_by_digit.draw(f1_by_digit.f1_by_digit_of(found), "title").axes[0]
    drawn = {text.get_position(): text.get_text() for text in axes.texts}
    for row, run in enumerate(runs):
        for entry in run.values["metrics"]["test"]["per_class"]:
            assert drawn[entry["label"], row] == f"{entry['f1']:.3f}"
    assert [label.get_text() for label in axes.get_yticklabels()] == [c.name for c in found]


def written(tmp_path, runs, images=None):
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    plans = all_figures.planned(found, gallery_of(found), images or {}, OBJECTIVE)
    return all_figures.write_figures(plans, tmp_path / "figures")


def test_every_figure_is_written_as_png_and_svg(tmp_path, monkeypatch):
    monkeypatch.setattr(all_figures, "MAX_CONFUSIONS", 2)
    runs = [
        make_run(layers=layers, nodes=nodes, seed=seed, accuracy=0.9 + nodes / 1e4)
        for layers in (1, 2) for nodes in (100, 200, 300) for seed in range(1 + (nodes == 100))
    ]  # fmt: skip
    images = {"d" * 64: np.arange(1000 * 28 * 28, dtype=np.uint8).reshape(1000, 28, 28)}
    files = written(tmp_path, runs, images)
    names = {path.stem for path in files}
    assert {
        "learning-curves", "f1-by-digit", "accuracy-against-cost", "effects", "spread",
        "parallel-coordinates", "gallery", "confusion-difference",
    } <= names  # fmt: skip
    assert sum(name.startswith("confusion-layers") for name in names) == 2
    assert len(files) == 2 * len(names)
    for path in files:
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") or b"<svg" in content[:2000]


def test_the_same_records_give_the_same_bytes():
    heat = confusion.confusion_of([make_run(classes=3).record])
    for file_format in ("png", "svg"):
        first, second = (style.rendered(confusion.draw(heat, "t"), file_format) for _ in range(2))
        assert first == second


def test_a_single_run_has_figures_too(tmp_path):
    sweep = load(write_sweep(tmp_path / "grid", [make_run()]))
    found = configurations([sweep])
    names = {plan.name for plan in all_figures.planned(found, gallery_of(found), {}, OBJECTIVE)}
    assert "learning-curves" in names
    assert "effects" not in names
    assert "confusion-difference" not in names


def test_a_sweep_without_a_finished_run_has_none(tmp_path):
    assert written(tmp_path, [make_run(status="failed")]) == []


def test_a_formula_or_markup_in_a_setting_is_drawn_as_text(tmp_path):
    runs = [make_run(activation=text) for text in ("$\\frac{", "\u65e5\u672c", "</text><script>")]
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    figure = curves.draw([curves.curves_of(c) for c in found], "$\\frac{")
    drawn = style.rendered(figure, "svg").decode("utf-8")
    assert style.rendered(figure, "png").startswith(b"\x89PNG")
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
    assert "$\\frac{" in drawn


def test_labels_are_readable_in_grey():
    """Cividis and the palette differ in lightness, not in hue alone."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    def lightness(colour):
        return np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722])

    ramp = [lightness(colormaps["cividis"](x)[:3]) for x in np.linspace(0, 1, 20)]
    assert np.all(np.diff(ramp) > 0)
    assert len({style.marker(k) for k in range(7)}) == 7


def drawing(tmp_path, name, monkeypatch, cores):
    monkeypatch.setattr("mnist_sweep.reporting.figures.drawing._two_cores", lambda: cores > 1)
    found = configurations([load(write_sweep(tmp_path / name, reference_grid()))])
    plans = list(all_figures.planned(found, gallery_of(found), {}, OBJECTIVE))
    return Drawing(plans, tmp_path / name / "figures")


@forking
def test_two_processes_draw_what_one_draws(tmp_path, monkeypatch):
    one = drawing(tmp_path, "one", monkeypatch, 1).finish()
    two = drawing(tmp_path, "two", monkeypatch, 2).finish()
    assert [path.name for path in one] == [path.name for path in two]
    assert len(one) > 8
    for first, second in zip(one, two, strict=True):
        assert first.read_bytes() == second.read_bytes()


@forking
def test_figures_of_a_process_that_was_killed_are_drawn_again(tmp_path, monkeypatch):
    begun = drawing(tmp_path, "killed", monkeypatch, 2)
    os.kill(begun._helper.pid, signal.SIGKILL)
    assert all(path.stat().st_size for path in begun.finish())


@forking
def test_what_keeps_the_other_process_from_writing_is_told(tmp_path, monkeypatch):
    begun = drawing(tmp_path, "full", monkeypatch, 2)
    begun.stop()
    shutil.rmtree(tmp_path / "full" / "figures", ignore_errors=True)
    (tmp_path / "full" / "figures").write_text("a file stands in the directory's place")
    with pytest.raises(DirectoryError, match="figures"):
        begun.finish()


@forking
def test_a_drawing_that_is_given_up_leaves_no_process(tmp_path, monkeypatch):
    begun = drawing(tmp_path, "stopped", monkeypatch, 2)
    begun.stop()
    assert not begun._helper.is_alive()
