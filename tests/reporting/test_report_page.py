"""The page: nothing is loaded, every text stays text, every run is there."""

import base64
import hashlib
import html
import itertools
import json
import re
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting import report
from mnist_sweep.reporting.html import contents
from mnist_sweep.reporting.html.contents import busy_s, common_settings, environments, failures
from mnist_sweep.reporting.phrases.conclusions import Conclusion, ConclusionKind
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.summary import ReportSummary
from support.factories import BUNDLED_NOTICE, Made, make_run, reference_grid, write_run, write_sweep

HOSTILE = (
    "<script>alert(1)</script>", '" onmouseover="alert(1)', "</style><b>", "</script><img src=x>",
    "\u202eright to left", "<!--", "{{ 7 * 7 }}", "a" * 10_000, "&lt;b&gt;", "=1+1",
)  # fmt: skip


NOTHING = ReportSummary()


class Page(HTMLParser):
    """The page's elements, and the text inside scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.raw, self.words = [], {}, []
        self.text = text
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.raw.setdefault(tag, [])
        if tag in ("script", "style"):
            self.raw[tag].append("")

    def handle_data(self, data):
        if self.cdata_elem:
            self.raw[self.cdata_elem][-1] += data
        else:
            self.words.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self):
        index = [a.get("id") for a in self.of("script")].index("data")
        return json.loads(self.raw["script"][index])

    @property
    def said(self):
        return " ".join(" ".join(self.words).split())


def page_of(directory, answer=NOTHING, **options):
    """The page, without an answer unless one is asked for: it is resampled, which takes longest."""
    written = write_report([directory], figures=False, answer=answer, **options)
    return Page(written.page.read_text(encoding="utf-8"))


def test_each_fact_of_the_environment_stands_with_all_its_values(tmp_path):
    runs = [make_run(layers=n) for n in (1, 2, 3)]
    for day, run in zip((5, 2, 9), runs, strict=True):
        run.values["environment"] |= {
            "started_at": f"2026-01-0{day}T03:04:05+00:00", "cpu": f"cpu {day}",
            "device": None if day == 5 else "CPU",
        }  # fmt: skip
    facts = dict(environments(load(write_sweep(tmp_path / "grid", runs)).frame))
    assert facts["Processor"] == "cpu 5, cpu 2, cpu 9"
    assert facts["Device"] == "CPU"
    assert facts["Started"] == "2026-01-02 03:04 UTC to 2026-01-09 03:04 UTC"
    assert facts["Commit"] == "a" * 12
    assert facts["Uncommitted changes"] == "no"


def test_numbers_of_the_environment_are_rounded_and_shortened(tmp_path):
    runs = [make_run(layers=n) for n in (1, 2, 3)]
    for k, run in enumerate(runs):
        run.values["environment"]["peak_memory_mb"] = 591.328125 + k
    facts = dict(environments(load(write_sweep(tmp_path / "grid", runs)).frame))
    assert facts["Peak memory [MB]"] == "591 to 593"


def test_days_between_two_commands_are_not_time_at_work(tmp_path):
    runs = [make_run(layers=n, train_s=9.1) for n in (1, 2, 3)]
    starts = ("2026-01-02T03:00:00", "2026-01-02T03:00:05", "2026-01-09T03:00:00")
    for start, run in zip(starts, runs, strict=True):
        run.values["environment"]["started_at"] = f"{start}+00:00"
    assert busy_s(load(write_sweep(tmp_path / "grid", runs)).frame) == pytest.approx(15 + 10)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    runs = [*reference_grid(), make_run(layers=2, nodes=300, dropout=0.2)]
    reason = {"type": "ResourceExhausted", "message": "out of <memory>"}
    error = {**reason, "traceback": "line 1\nline 2"}
    failed = make_run(layers=3, status="failed", error=error)
    missing = make_run(layers=4)
    return write_sweep(tmp_path_factory.mktemp("page") / "grid", [*runs, failed], [missing])


@pytest.fixture(scope="module")
def page(grid):
    return page_of(grid, answer=None)


def test_nothing_in_the_page_refers_to_anything_outside_but_links_to_runs(page, grid):
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            if value and tag == "a" and not value.startswith("#"):
                assert (grid / unquote(value)).is_dir()
            elif value:
                assert value.startswith(("#", "data:image/")), (tag, value)
    assert "@import" not in page.raw["style"][0]
    assert "url(" not in page.raw["style"][0]


def test_the_policy_admits_the_page_s_own_scripts_and_styles_and_nothing_else(page):
    (policy,) = [a["content"] for a in page.of("meta") if a.get("http-equiv")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    assert "unsafe" not in policy

    def hashed(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    scripts = zip(page.of("script"), page.raw["script"], strict=True)
    run = [text for attributes, text in scripts if not attributes.get("type")]
    index = [a.get("id") for a in page.of("script")].index("library")
    library = zlib.decompress(base64.b64decode(page.raw["script"][index])).decode()
    assert set(rules["script-src"].split()) == {hashed(run[0]), hashed(library)}
    assert set(rules["style-src"].split()) == {hashed(page.raw["style"][0]), hashed("")}


def test_no_element_has_a_style_or_a_script_of_its_own(page):
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_it_is_small(page):
    assert len(page.text.encode()) < 6e6


def test_the_header_comes_first_then_ranking_answer_and_pictures(page, grid):
    order = [a["id"] for a in page.of("section")]
    assert order == ["ranking", "answer", "plots", "confusion", "details"]
    head = page.said[: page.said.index("Ranking")]
    best = max(load(grid).frame["validation.accuracy"].dropna())
    for text in (f"{100 * best:.2f} %", "5 of 7 runs finished", "2026-01-02 03:04 UTC", "MNIST"):
        assert text in head
    assert "is the worst of 3 configurations where layers=2" in page.said


def test_the_command_stands_in_the_header(tmp_path):
    directory = write_sweep(tmp_path / "grid", [make_run()])
    plan = json.loads((directory / "sweep.json").read_text())
    plan["invocations"][0] |= {"overrides": ["layers=1,2", "name=a b"]}
    (directory / "sweep.json").write_text(json.dumps(plan))
    assert "mnist-sweep -m layers=1,2 'name=a b'" in page_of(directory).said


def test_the_ranked_table_is_in_order_with_intervals_that_hold_the_value(page):
    ranked = page.data["ranked"]["validation.accuracy"]
    assert ranked == sorted(ranked, reverse=True)
    cells = re.findall(
        r'<td class="n">([\d.]+) <small class="quiet">([\d.]+) to ([\d.]+)</small>', page.text
    )
    assert len(cells) == 2 * len(ranked)
    assert all(float(low) <= float(value) <= float(high) for value, low, high in cells)
    assert [float(value) for value, _, _ in cells[::2]] == [round(100 * v, 2) for v in ranked]


@pytest.mark.slow
def test_plots_are_in_the_page_as_pictures_too_where_figures_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr("mnist_sweep.reporting.figures.files.MAX_CONFUSIONS", 0)
    monkeypatch.setattr("mnist_sweep.reporting.figures.files.FORMATS", ("svg",))
    directory = write_sweep(tmp_path / "grid", [make_run(), make_run(layers=2)])
    written = write_report([directory], answer=NOTHING)
    page = Page(written.page.read_text(encoding="utf-8"))
    stills = [a for a in page.of("img") if a.get("class") == "still"]
    assert len(stills) == len(page.data["plots"])
    for still, plot in zip(stills, page.data["plots"], strict=True):
        svg = base64.b64decode(still["src"].removeprefix("data:image/svg+xml;base64,"))
        assert svg == (directory / "figures" / f"{plot['name']}.svg").read_bytes()
        assert still["alt"]


@pytest.mark.slow
def test_conclusions_come_with_their_number_sureness_and_what_was_reported(grid):
    told = ("Dropout <helps>.", "+0.2 points", "95 % of draws", "97.7 %")
    answer = ReportSummary((Conclusion(ConclusionKind.EFFECT, *told),))
    page = page_of(grid, answer=answer)
    for words in ("Dropout <helps>.", "+0.2 points", "95 % of draws", "97.7 %"):
        assert words in page.said


def test_failed_and_missing_runs_are_in_the_tables_and_among_the_problems(page):
    assert page.said.count("layers=3") >= 1
    problems = page.text[page.text.index('id="problems"') :]
    assert "ResourceExhausted: out of &lt;memory&gt;" in problems
    assert "line 1\nline 2" in problems
    assert "layers=4" in problems
    assert len(page.data["columns"]["status"]) == 7


def test_the_tables_columns_for_sorting_are_the_records_values(page):
    runs = reference_grid()
    columns = page.data["columns"]
    rows = {
        (layers, nodes): accuracy
        for layers, nodes, dropout, accuracy in zip(
            *(columns[k] for k in ("layers", "nodes", "dropout", "test.accuracy")), strict=True
        )
        if dropout == 0
    }
    for run in runs:
        config = run.values["config"]
        expected = run.values["metrics"]["test"]["accuracy"]
        assert rows[config["layers"], config["nodes"]] == pytest.approx(expected)


def test_only_failures_that_are_shown_are_read(tmp_path):
    runs = [make_run(nodes=n, status="failed") for n in range(1, 206)]
    sweep = load(write_sweep(tmp_path / "grid", runs))
    rows = sweep.frame.assign(reason="why")
    found = failures(rows, [sweep])
    assert (len(found.shown), found.total) == (200, 205)
    assert len(sweep._read) == 200


def test_of_very_many_missing_runs_few_are_shown_with_a_command_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "MAX_MISSING", 3)
    monkeypatch.setattr(contents, "_MAX_FAILURES", 4)
    done = [make_run(nodes=8), make_run(nodes=9, status="failed")]
    missing = [make_run(nodes=n) for n in range(100, 110)]
    sweep = write_sweep(tmp_path / "big grid", done, missing)
    page = page_of(sweep)
    command = f"mnist-sweep table --all '{sweep}'"
    assert len(page.data["columns"]["label"]) == 2 + 3
    assert f"7 more missing runs are not shown. To list them all: {command}" in page.said
    assert "Without a result (11)" in page.said
    assert f"7 more runs are not shown. To list them all: {command}" in page.said
    assert "nodes=9," in page.said  # failed ones come before missing ones
    first = json.loads((sweep / "tables" / "comparison.json").read_bytes())["tables"][0]
    assert [row["status"] for row in first["rows"]].count("missing") == 3
    assert any(command in note for note in first["notes"])


def test_the_networks_of_the_switch_are_the_records_matrices(page):
    record = make_run(layers=2, nodes=300, dropout=0.2).values["metrics"]
    (found,) = [n for n in page.data["networks"] if "dropout=0.2" in n["name"]]
    for split in ("test", "validation"):
        assert found[split] == record[split]["confusion"]


def test_repeats_are_added_in_the_switch_and_stand_there_one_by_one(tmp_path):
    page = page_of(write_sweep(tmp_path / "grid", [make_run(seed=0), make_run(seed=1)]))
    together, *single = page.data["networks"]
    assert together["runs"] == 2
    assert together["name"].endswith("(2 runs added)")
    assert [network["name"][-6:] for network in single] == ["seed 0", "seed 1"]
    added = np.array(single[0]["test"]) + single[1]["test"]
    assert np.array_equal(added, together["test"])


def test_bundled_digits_are_said_loudly(tmp_path):
    page = page_of(write_sweep(tmp_path / "grid", reference_grid(bundled=True)[:1]))
    assert "mnist-sweep data mnist" in page.said
    assert BUNDLED_NOTICE in page.said[: page.said.index("Ranking")]
    assert "NOT MNIST" in page.said


def test_every_control_table_and_picture_has_a_name(page):
    labelled = {a["for"] for a in page.of("label") if "for" in a}
    assert "filter" in labelled
    assert page.text.count("<caption") == len(page.of("table"))
    assert all(a.get("alt") for a in page.of("img"))
    ids = {a["id"] for _, a in page.elements if "id" in a}
    for _, attributes in page.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= ids
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.slow
def test_hostile_text_stays_text_wherever_it_comes_from(tmp_path):
    plain = page_of(
        write_sweep(tmp_path / "plain", [make_run(activation="relu"), make_run(nodes=9)])
    )
    directory = tmp_path / "sweep <b>"
    for number, text in enumerate(HOSTILE):
        error = {"type": text, "message": text, "traceback": text}
        good, bad = make_run(activation=text), make_run(nodes=number, status="failed", error=error)
        good.values["environment"]["cpu"] = bad.values["environment"]["device"] = text
        good.values["data"]["source"] = good.values["data"]["notice"] = text
        write_run(good, directory / "runs" / f"{number}-{good.values['run_id']}")
        write_run(bad, directory / "runs" / f"x-{bad.values['run_id']}")
    told = (Conclusion(ConclusionKind.BEST, text, text, text, text) for text in HOSTILE)
    page = page_of(directory, answer=ReportSummary(tuple(told)))
    assert load(directory).frame["status"].tolist().count("failed") == len(HOSTILE)
    tags = {tag for tag, _ in page.elements}
    assert tags <= {tag for tag, _ in plain.elements} | {
        "ol", "pre", "ul", "li", "strong", "small", "button",
    }  # fmt: skip
    assert len(page.of("script")) == len(plain.of("script"))
    assert not [a for _, a in page.elements if "onmouseover" in a or a.get("src") == "x"]
    assert "\u202e" not in page.text
    assert "49" not in re.findall(r"<dd><bdi>(.*?)</bdi>", page.text)
    assert len(page.data["networks"]) == len(HOSTILE)


def test_plotly_is_given_no_markup(tmp_path):
    page = page_of(
        write_sweep(tmp_path / "grid", [make_run(activation="<b>x</b>&amp;"), make_run()])
    )
    named = [one["name"] for plot in page.data["plots"] for one in plot["series"]]
    assert named
    for name in named:
        assert "<" not in name
    assert any("<b>x</b>&amp;" in html.unescape(name) for name in named)


@pytest.mark.slow
def test_the_gallery_shows_the_images_or_says_that_they_are_not_here(grid):
    without = page_of(grid)
    assert "not on this machine" in without.said
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    page = page_of(grid, images={"d" * 64: images})
    assert len(page.of("img")) == 40
    from io import BytesIO

    from PIL import Image

    first = page.of("img")[0]
    row = int(re.search(r"test image ([\d,]+)", page.said)[1].replace(",", ""))
    uri = first["src"].removeprefix("data:image/png;base64,")
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(uri))))
    assert np.array_equal(pixels, 255 - images[row])


def test_images_of_another_scale_are_as_dark(tmp_path):
    from mnist_sweep.reporting.html.embed import png_uri

    eight = np.full((8, 8), 16, dtype=np.uint8)
    assert png_uri(eight, 16.0) == png_uri(np.full((8, 8), 255, dtype=np.uint8), 255.0)


@pytest.mark.slow
def test_several_directories_need_a_place_and_are_told_apart(tmp_path):
    first = write_sweep(tmp_path / "a", reference_grid())
    second = write_sweep(tmp_path / "b", reference_grid())
    with pytest.raises(UsageError, match="--output"):
        write_report([first, second])
    written = write_report([first, second], tmp_path / "both", figures=False, answer=NOTHING)
    assert written.page == tmp_path / "both" / "report.html"
    data = Page(written.page.read_text(encoding="utf-8")).data
    assert len(data["networks"]) == 8
    assert len({network["name"] for network in data["networks"]}) == 8
    assert (tmp_path / "both" / "tables" / "comparison.csv").exists()


def test_a_directory_without_a_finished_run_has_a_report(tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run(status="failed")], [make_run(layers=2)])
    page = page_of(sweep)
    assert not page.data["plots"]
    assert "library" not in [a.get("id") for a in page.of("script")]
    assert "out of memory" in page.said


def test_a_directory_that_is_none_is_refused(tmp_path):
    with pytest.raises(DirectoryError, match="no such directory"):
        write_report([tmp_path / "nowhere"])


def test_a_place_that_cannot_be_written_is_one_of_our_errors(tmp_path, grid):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DirectoryError):
        write_report([grid], tmp_path / "file", figures=False)


def test_hundreds_of_records_make_a_page_of_sane_size(tmp_path):
    from mnist_sweep.reporting.html.page import Report, render
    from mnist_sweep.reporting.tables.tables import comparison

    values = make_run(epochs=20, n_test=200, n_validation=100).values
    runs = [
        Made({**values, "run_id": f"{k:012x}", "configuration_id": f"{k:012x}",
              "label": f"nodes={k}",
              "config": {**values["config"], "model": {**values["config"]["model"], "nodes": k}}})
        for k in range(300)
    ]  # fmt: skip
    sweep = load(write_sweep(tmp_path / "s", runs))
    report = Report([sweep], comparison([sweep]), ReportSummary(), {}, sweep.directory)
    text = render(report, {})
    assert len(text.encode()) < 4e6
    page = Page(text)
    assert len(page.data["networks"]) == 300
    traces = sum(len(plot["series"]) for plot in page.data["plots"])
    assert traces < 100, "heavy parts are aggregated"


def test_common_settings_are_told_once_and_by_names_for_readers():
    runs = pd.DataFrame({
        "layers": [2, 2], "model.layers": [2, 2], "dropout": [0.0, 0.0],
        "model.dropout": [0.5, 0.5], "early_stopping.patience": [3, 3], "task.lr": [0.1, 0.1],
        "nodes": [10, 20],
    })  # fmt: skip
    assert common_settings(runs) == [
        ("Layers", "2"), ("Dropout", "0"), ("Model, dropout", "0.5"),
        ("Early stopping patience", "3"), ("Task, lr", "0.1"),
    ]  # fmt: skip
