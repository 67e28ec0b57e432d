"""What is drawn is what the descriptions say: texts, axes and bytes of real Matplotlib figures."""

import os
import signal
import sys
from functools import partial

import numpy as np
import pytest
from matplotlib import rc_context, rcParams

from mnist_sweep import cores
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.figures import drawing, files, matrices
from mnist_sweep.reporting.figures.gallery import gallery_of
from mnist_sweep.reporting.figures.plot import MARKERS
from mnist_sweep.reporting.figures.plots import curves
from support.factories import make_run, reference_grid, write_sweep
from support.shown import OBJECTIVE, configurations

forking = pytest.mark.skipif(sys.platform != "linux", reason="figures are forked off on Linux only")


@pytest.fixture(autouse=True)
def _styled():
    with drawing.styled():
        yield


def cells(figure):
    return {text.get_position(): text.get_text() for text in figure.axes[0].texts}


def test_the_confusion_matrix_s_cells_stand_where_its_axes_say():
    run = make_run()
    figure = matrices.draw_confusion([run.record], "title")
    axes, drawn = figure.axes[0], cells(figure)
    assert axes.get_xlabel() == "Predicted class"
    assert axes.get_ylabel() == "True class"
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(k) for k in range(10)]
    record = run.values["metrics"]["test"]["confusion"]
    for true in range(10):
        for predicted in range(10):
            count, text = record[true][predicted], drawn[predicted, true]
            assert text.split("\n")[0] == (f"{count:,}" if count or true == predicted else "·")
            if count:
                assert text.split("\n")[1] == f"{100 * count / sum(record[true]):.1f}"


def test_the_difference_names_who_is_worse_and_shows_signs():
    first, second = ([make_run(nodes=n).record] for n in (100, 300))
    figure = matrices.draw_difference(first, second, ("small", "large"), "title")
    value = matrices.confusion_of(second)[0, 0] - matrices.confusion_of(first)[0, 0]
    assert cells(figure)[0, 0] == (f"{value:+d}".replace("-", "\N{MINUS SIGN}") if value else "·")
    assert "large is worse" in figure._supxlabel.get_text()


def test_the_heat_map_s_numbers_stand_in_the_right_cells(tmp_path):
    runs = reference_grid()
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    figure = matrices.draw_f1(found, "title")
    drawn = cells(figure)
    for row, run in enumerate(runs):
        for entry in run.values["metrics"]["test"]["per_class"]:
            assert drawn[entry["label"], row] == f"{entry['f1']:.3f}"
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [c.name for c in found]


def test_a_plot_is_drawn_as_it_is_described(tmp_path):
    found = configurations([load(write_sweep(tmp_path / "grid", reference_grid()))])
    plot = curves(found, OBJECTIVE)
    figure = drawing.draw(plot, "Title")
    for place, (axes, y) in enumerate(zip(figure.axes, plot.y, strict=True)):
        assert axes.get_ylabel() == y.title
        assert axes.get_yscale() == ("log" if y.is_log else "linear")
        own = [one for one in plot.series if one.panel == place]
        for line, one in zip(axes.lines, own, strict=True):
            assert line.get_ydata() == pytest.approx([point.y for point in one.points])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [one.name for one in found]


def figures(tmp_path, runs, images=None):
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    plotted = files.plots(found, OBJECTIVE)
    return files.figures(found, plotted, gallery_of(found), images or {}, OBJECTIVE)


@pytest.mark.slow
def test_every_figure_is_written_as_png_and_svg(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_CONFUSIONS", 1)
    monkeypatch.setattr(cores, "can_fork", lambda: False)
    runs = [
        make_run(layers=layers, nodes=nodes, seed=seed, accuracy=0.9 + nodes / 1e4)
        for layers in (1, 2) for nodes in (100, 200, 300) for seed in range(1 + (nodes == 100))
    ]  # fmt: skip
    images = {"d" * 64: np.arange(1000 * 28 * 28, dtype=np.uint8).reshape(1000, 28, 28)}
    found = files.write_figures(figures(tmp_path, runs, images), tmp_path / "figures")
    confusions = {name for name in found if name.startswith("confusion-layers")}
    assert len(confusions) == 1
    assert {*found} - confusions == {
        "learning-curves", "f1-by-digit", "accuracy-against-cost", "effects", "spread",
        "importance", "parallel-coordinates", "gallery", "confusion-difference",
    }  # fmt: skip
    for png, svg in found.values():
        assert png.read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in svg.read_bytes()[:2000]


@pytest.mark.slow
@forking
def test_two_processes_draw_what_one_draws(tmp_path, monkeypatch):
    drawers = {f"p{k}": partial(stub, f"title {k}") for k in range(5)}
    written = []
    monkeypatch.setattr(cores, "cores", lambda: 2)
    for forked in (False, True):
        monkeypatch.setattr(cores, "can_fork", lambda forked=forked: forked)
        found = files.write_figures(drawers, tmp_path / str(forked))
        written.append({path.name: path.read_bytes() for own in found.values() for path in own})
    assert written[0] == written[1]
    assert len(set(written[0].values())) == 10


def test_a_single_run_has_figures_too(tmp_path):
    names = {*figures(tmp_path, [make_run()])}
    assert "learning-curves" in names
    assert not {"effects", "importance", "confusion-difference"} & names


def test_a_sweep_without_a_finished_run_has_none(tmp_path):
    assert figures(tmp_path, [make_run(status="failed")]) == {}


def test_a_formula_or_markup_in_a_setting_is_drawn_as_text(tmp_path):
    runs = [make_run(activation=text) for text in ("$\\frac{", "\u65e5\u672c", "</text><script>")]
    found = configurations([load(write_sweep(tmp_path / "grid", runs))])
    figure = drawing.draw(curves(found, OBJECTIVE), "$\\frac{")
    drawn = drawing.rendered(figure, "svg").decode("utf-8")
    assert drawing.rendered(figure, "png").startswith(b"\x89PNG")
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
    assert len(MARKERS) == len({*MARKERS.values()}) >= 7


def stub(title):
    figure = drawing.new(2, 1, title)
    figure.add_subplot()
    return figure


def killer(title):
    """As the kernel does where memory is short; the parent draws it itself."""
    if os.getpid() != PARENT:
        os.kill(os.getpid(), signal.SIGKILL)
    return stub(title)


PARENT = os.getpid()


@forking
def test_figures_of_a_process_that_was_killed_are_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "can_fork", lambda: True)
    monkeypatch.setattr(cores, "cores", lambda: 2)
    drawers = {f"p{k}": partial(killer if k == 3 else stub, "") for k in range(5)}
    found = files.write_figures(drawers, tmp_path)
    assert list(found) == ["p0", "p1", "p2", "p3", "p4"]
    assert all(path.stat().st_size for own in found.values() for path in own)


@forking
def test_what_keeps_the_other_process_from_writing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "can_fork", lambda: True)
    monkeypatch.setattr(cores, "cores", lambda: 2)
    (tmp_path / "figures").write_text("a file stands in the directory's place")
    with pytest.raises(DirectoryError, match="figures"):
        files.write_figures({f"p{k}": partial(stub, "") for k in range(5)}, tmp_path / "figures")


def test_the_users_own_settings_of_matplotlib_do_not_count():
    with rc_context({"text.usetex": True, "font.size": 40, "xtick.direction": "in"}):
        with drawing.styled():
            assert not rcParams["text.usetex"]
            assert rcParams["font.size"] < 20
            assert rcParams["xtick.direction"] == "out"
        assert rcParams["text.usetex"]
