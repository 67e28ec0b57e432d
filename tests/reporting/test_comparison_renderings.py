"""How comparisons and the gate's results are written: formats agree, and no text takes effect."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mnist_sweep.analysis import gate
from mnist_sweep.analysis.compare import compare, load_side
from mnist_sweep.analysis.gate import Check, CheckKind, GateResult, Problem
from mnist_sweep.reporting.comparison import render
from mnist_sweep.reporting.comparison.phrases import signed
from mnist_sweep.reporting.comparison.render import FORMATS, MAX_LINES, MAX_MARKDOWN
from mnist_sweep.reporting.comparison.tables import tables
from mnist_sweep.reporting.gate import (
    SENTENCES,
    as_json,
    junit,
    sentence,
    summary,
    text,
    title,
)
from support.factories import make_run, reference_grid, write_run, write_sweep

HOSTILE = '</style><script>alert(1)</script>|`*_@everyone\x1b[31m\n"&<img src=x>'
FELL = (
    "test.accuracy went from 0.9700 to 0.9500 (-0.0200), worse by more than the 0.0080 that "
    "variation between seeds explains."
)
RESULT = GateResult(
    (
        Check(
            CheckKind.RELATIVE, Problem.VIOLATED, configuration="layers=2", metric="test.accuracy",
            baseline=0.97, value=0.95, limit=0.008, noticeable=0.01,
        ),
        Check(
            CheckKind.RELATIVE, configuration="layers=1", metric="test.accuracy", baseline=0.97,
            value=0.97, limit=0.018, noticeable=0.02,
        ),
        Check(CheckKind.RECORDS, count=2),
    ),
    n_new=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def worse(tmp_path_factory):
    place = tmp_path_factory.mktemp("renderings")
    first = write_sweep(place / "before", reference_grid(range(3)))
    runs = [
        make_run(layers=one, nodes=n, epochs=5, accuracy=0.9, seed=seed)
        for one, n in ((1, 100), (1, 300), (2, 100), (2, 300))
        for seed in range(3)
    ]
    return compare([load_side(first), load_side(write_sweep(place / "after", runs))])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile")
    sides = []
    for name, activation in (("a", HOSTILE), ("b", "relu")):
        run = make_run()
        run.values["config"]["activation"] = activation
        run.values["label"] = activation if activation == HOSTILE else "b"
        sides.append(load_side(write_run(run, place / name)))
    return compare(sides)


class Page(html.parser.HTMLParser):
    """Elements and attributes of a page, and the text of its style."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.style = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data


@pytest.mark.parametrize("format_name", ["text", "md", "html"])
def test_the_verdict_is_on_top(worse, format_name):
    written = FORMATS[format_name](worse)
    assert "after is worse than before" in written
    if format_name == "text":
        assert written.startswith("after is worse than before: test accuracy changed in 4 of 4")


def test_markdown_fits_a_comment_and_folds_the_details(worse):
    written = FORMATS["md"](worse)
    assert len(written) < MAX_MARKDOWN + 2000
    assert written.count("<details>") == written.count("</details>") > 2
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|.*\|", row) for row in rows)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    place = tmp_path_factory.mktemp("many")
    sides = []
    for name, epochs in (("a", 5), ("b", 20), ("c", 10)):
        runs = [make_run(nodes=n, epochs=epochs, n_test=50, n_validation=20) for n in range(1, 13)]
        sides.append(load_side(write_sweep(place / name, runs)))
    return compare(sides)


def test_long_tables_are_cut_and_say_so(many):
    metrics = next(one for one in tables(many) if "Metrics" in one.title)
    assert metrics.rows[-1].cells[0].text == "… and 32 more"


def test_the_text_is_a_verdict_and_30_lines_of_any_comparison(many, worse, hostile):
    for comparison in (many, worse, hostile):
        lines = render.text(comparison).splitlines()
        assert len(lines) <= len(comparison.pairs) + MAX_LINES
        is_whole = FORMATS["text"](comparison) == render.text(comparison)
        assert (lines[-1] == render.MORE) is not is_whole
        # All tables that are left in the short text are whole, up to rows that it says are more.
        assert {"What differs", "Configurations"} <= {*lines} | {line[3:] for line in lines}


def test_the_objective_comes_first_and_no_change_looks_like_none(worse):
    metrics = next(one for one in tables(worse) if one.name == "metrics")
    assert [row.cells[1].text for row in metrics.rows[:2]] == ["accuracy [%]", "lowest F1"]
    cells = [cell.text for cell in metrics.rows[0].cells]
    assert float(cells[4]) == pytest.approx(float(cells[3]) - float(cells[2]), abs=0.011)
    assert 50 < float(cells[2]) <= 100
    assert " points [" in render.text(worse).splitlines()[0]
    assert [signed(value) for value in (0.01234, -0.00001, 0.0)] == ["+0.0123", "-1.0e-05", "0"]


def test_the_page_is_alone_and_runs_nothing(worse):
    written = FORMATS["html"](worse)
    found = Page(written)
    assert not {"script", "iframe", "link", "img", "object"} & set(found.tags)
    names = {name for _, name, _ in found.attributes}
    assert not {"src", "href", "style"} & names
    assert not any(name.startswith("on") for name in names)
    policy = dict(pair[1:] for pair in found.attributes)["content"]
    policy = next(value for _, name, value in found.attributes if name == "content")
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "Confusion difference" in written


@pytest.mark.parametrize("format_name", ["text", "md", "html"])
def test_text_from_settings_takes_no_effect(hostile, format_name):
    written = FORMATS[format_name](hostile)
    assert "alert(1)" in written
    assert "\x1b" not in written
    if format_name != "text":
        assert "<script" not in written
        assert "<img" not in written
    if format_name == "md":
        assert "@everyone" not in written


def test_the_json_holds_what_the_text_says(worse):
    value = json.loads(FORMATS["json"](worse))
    (pair,) = value["pairs"]
    assert pair["verdict"]["kind"] == "worse"
    assert pair["verdict"]["sentence"] in FORMATS["text"](worse)
    assert len(pair["shared"]) == 4
    assert len(pair["shared"][0]["digits"]) == 10
    assert value["differs"]["settings"] == {"epochs": [[20], [5]]}


def test_the_gate_s_text_puts_failures_first():
    lines = text(RESULT).splitlines()
    assert lines[0] == (
        "FAILED: 1 of 3 checks. Detectable drop (80% power): test.accuracy 0.0100 to 0.0200."
    )
    assert "FAIL" in lines[1]
    assert "layers=2" in lines[1]
    assert lines[-1] == "Note: Configurations not in the baseline, checked against floors only: 1."


def test_a_result_without_checks_does_not_pass():
    assert not GateResult(()).passed


@pytest.mark.parametrize(("kind", "problem"), SENTENCES)
def test_every_check_has_words(kind, problem):
    check = Check(
        kind, problem, rule="test.f1 >= 0.9", metric="test.f1", baseline=0.9, value=0.8, limit=0.1,
        count=3, changed=(("epochs", 20, 5),), detail="why",
    )  # fmt: skip
    words = title(check) + sentence(check)
    assert "None" not in words
    assert "{" not in words


def test_whatever_the_gate_can_find_has_a_sentence():
    """Read from its source: each kind with the problems that it is given there."""
    source = "".join(path.read_text() for path in sorted(Path(gate.__file__).parent.glob("*.py")))
    used = {problem for problem in Problem if f"Problem.{problem.name}" in source}
    assert used == {problem for _, problem in SENTENCES if problem}


def test_junit_counts_and_escapes():
    odd = Check(
        CheckKind.BOUND, Problem.VIOLATED, rule='a <rule> & "more"', configuration="\x00layers",
        metric="]]> \x1b it\x00", value=0.8, limit=0.9,
    )  # fmt: skip
    root = ET.fromstring(junit(GateResult((*RESULT.checks, odd))).encode())
    suite = root.find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("4", "2")
    assert [case.find("failure") is not None for case in suite.findall("testcase")] == [
        True, False, False, True,
    ]  # fmt: skip
    assert suite.findall("testcase")[0].find("failure").get("message") == FELL


def test_the_summary_is_a_table_and_the_json_is_strict():
    assert summary(RESULT).startswith("### ❌")
    assert "| ❌ | test.accuracy against the baseline | layers=2 | test.accuracy" in summary(RESULT)
    value = json.loads(as_json(RESULT))
    assert value["passed"] is False
    assert [finding["passed"] for finding in value["findings"]] == [False, True, True]


def test_a_comparison_calls_classes_by_their_names(tmp_path):
    sides = []
    for name, accuracy in (("a", 0.99), ("b", 0.5)):
        run = make_run(accuracy=accuracy)
        run.values["data"] |= {"name": "fashion", "class_names": [f"shirt {k}" for k in range(10)]}
        sides.append(load_side(write_run(run, tmp_path / name)))
    found = compare(sides)
    shown = {table.name: table for table in tables(found)}
    assert shown["digits"].title == "F1 by class"
    assert [one.title for one in shown["digits"].columns][1:] == [f"shirt {k}" for k in range(10)]
    assert shown["confusions"].rows[0].cells[1].text.startswith("shirt ")
    assert "(shirt " in shown["flips"].notes[1]
    assert FORMATS["html"](found).count("shirt 3</th>") >= 2


def test_sides_of_long_names_are_told_apart_by_the_ends(tmp_path):
    place = tmp_path / "a_directory_with_a_long_name_indeed"
    sides = [load_side(write_run(make_run(seed=k, n_test=60), place / f"run {k}")) for k in (1, 2)]
    named = [replace(one, name=str(one.directory)) for one in sides]
    shown = {table.name: table for table in tables(compare(named))}
    first, second = [column.title for column in shown["metrics"].columns[2:4]]
    assert (first[-5:], second[-5:]) == ("run 1", "run 2")
    assert len(first) == len(second) == 24
