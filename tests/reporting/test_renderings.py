"""Every rendering shows the same tables, and hostile text stays text in each."""

import csv
import io
import json
import re
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from mnist_sweep.errors import UsageError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.tables.render import format_names, render
from mnist_sweep.reporting.tables.tables import comparison
from support.factories import BUNDLED_NOTICE, make_run, reference_grid, write_sweep

ANSI = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = '<script>alert(1)</script> | a\nb [red]x[/red] *y* & 10% \x1b[31m \u202e =1+1 "q"'


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    error = {"type": "ValueError", "message": HOSTILE, "traceback": None}
    failed = make_run(layers=3, status="failed", error=error, bundled=True)
    runs, missing = [*reference_grid(bundled=True), failed], [make_run(layers=4, bundled=True)]
    return comparison([load(write_sweep(tmp_path_factory.mktemp("a") / "g", runs, missing))])


def markdown_tables(text):
    """Cells of every table in Markdown, by another parser."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    found = []
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            parts = tokens[index + 1].children
            found[-1][-1].append("".join(p.content for p in parts))
    return found


def test_markdown_holds_every_cell(tables):
    parsed = markdown_tables(render(tables, "md"))
    for table, rows in zip(tables, parsed, strict=True):
        assert rows[0] == [column.title for column in table.columns]
        assert rows[1:] == [[cell.text for cell in row.cells] for row in table.rows]


def test_markdown_marks_best_bold_and_worst_italic(tables):
    text = render(tables, "md")
    for row in tables[0].rows:
        for cell in row.cells:
            if cell.mark == "best":
                assert f"| **{cell.text}** |" in text
            if cell.mark == "worst":
                assert f"| *{cell.text}* |" in text


def test_csv_is_one_sheet_of_raw_numbers(tables):
    rows = list(csv.DictReader(io.StringIO(render(tables, "csv"), newline="")))
    assert [row["status"] for row in rows] == [row.status for row in tables[0].rows]
    assert [row["run_id"] for row in rows] == tables[0].content.values("run_id")
    for key in ("test.accuracy", "test.f1.9", "train.loss", "time.train_s"):
        values = tables[0].content.values(key)
        assert [row[key] for row in rows] == ["" if one is None else repr(one) for one in values]
    assert rows[0]["dataset.notice"] == BUNDLED_NOTICE
    assert rows[0]["reason"] == ""
    assert rows[4]["reason"].startswith("ValueError: <script>")


def test_no_csv_cell_of_text_is_a_formula(tmp_path):
    error = {"type": "=cmd|' /C calc'!A0", "message": "x", "traceback": None}
    runs = [make_run(status="failed", error=error), make_run(layers=2, optimizer="=1+1")]
    text = render(comparison([load(write_sweep(tmp_path / "g", runs))]), "csv")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert "'=1+1" in cells


def test_json_holds_values_units_and_marks(tables):
    parsed = json.loads(render(tables, "json"), parse_constant=pytest.fail)["tables"]
    for table, read in zip(tables, parsed, strict=True):
        assert read["title"] == table.title
        assert read["notices"] == [BUNDLED_NOTICE]
        for row, values in zip(table.rows, read["rows"], strict=True):
            for column, cell in zip(table.columns, row.cells, strict=True):
                if column.key != "status":
                    assert values["values"][column.key] == cell.value
                assert values["marks"].get(column.key, "") == cell.mark
    assert parsed[0]["rows"][4]["reason"] == f"ValueError: {HOSTILE}"
    assert parsed[0]["columns"][2]["unit"] == "s"


def test_latex_has_as_many_cells_as_columns_and_is_balanced(tables):
    text = render(tables, "latex")
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == len(tables)
    for table, part in zip(tables, text.split(r"\begin{table}")[1:], strict=True):
        body = [line for line in part.splitlines() if line.endswith(r"\\")]
        assert len(body) == len(table.rows) + 1
        for line in body:
            assert len(re.findall(r"(?<!\\)&", line)) == len(table.columns) - 1
        unescaped = re.sub(r"\\[\\{}]", "", part)
        assert unescaped.count("{") == unescaped.count("}")
    assert r"\times 10^{" in text
    assert r"10\%" in text


def test_latex_stacks_what_is_long_and_sets_wide_tables_small(tmp_path):
    table = comparison([load(write_sweep(tmp_path / "g", [make_run(), make_run(layers=2)]))])[0]
    text = render([table], "latex")
    assert r"\shortstack[r]{Training\\{}accuracy\\{}[\%]}" in text
    assert r"\small\setlength" in text
    wide = replace(table, columns=table.columns + table.columns[-1:] * 20)
    assert len(wide.rows[0].cells) == len(table.columns) + 20
    text = render([wide], "latex")
    assert text.startswith(r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.")
    assert r"\resizebox{\textwidth}{!}{%" in text


def test_plain_text_is_aligned_and_marks_survive_without_colour(tables):
    text = render(tables, "text")
    assert "\x1b" not in text
    for table in tables:
        block = text[text.index(table.title) :].split("\n\n")[1].splitlines()
        assert len(block) == len(table.rows) + 2
        ends = [match.end() for match in re.finditer("-+", block[1])]
        for column, end in list(zip(table.columns, ends, strict=True))[:-1]:
            heading = block[0][:end].rstrip() if not column.is_numeric else block[0][:end]
            assert heading.endswith(column.title)
    best = [cell.text for row in tables[1].rows for cell in row.cells if cell.mark == "best"]
    assert best
    assert all(f"{value}*" in text for value in best)


@pytest.mark.parametrize("format_name", format_names())
def test_every_format_says_the_data_loudly_and_names_every_run_s_end(tables, format_name):
    text = render(tables, format_name)
    assert "bundled digits" in text
    assert "not run" in text
    assert "finished" in text
    assert text.endswith("\n")
    assert "\x1b" not in text.replace("\\x1b", "")


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_terminal_of_any_width_shows_every_number_whole(tables, width, colour):
    text = render(tables, "text", width=width, colour=colour)
    shown = ANSI.sub("", text)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    words = set(shown.split())
    for table in tables:
        for row in table.rows:
            for cell in row.cells:
                if cell.value is not None and not isinstance(cell.value, str):
                    assert words & {cell.text, f"{cell.text}*", f"{cell.text}!"}
    assert ("\x1b[" in text) == colour
    assert "[red]x[/red]" in " ".join(shown.split()) or width < 100
    assert "\u202e" not in text


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """A sweep of two runs that failed."""
    runs = [make_run(status="failed"), make_run(layers=2, status="failed")]
    return load(write_sweep(tmp_path_factory.mktemp("h") / "g", runs))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(message=st.text(max_size=60), optimizer=st.text(min_size=1, max_size=20))
def test_no_text_breaks_any_format(failed, message, optimizer):
    changed = {"error.message": [message, "out of memory"], "optimizer": ["adam", optimizer]}
    tables = comparison([replace(failed, frame=failed.frame.assign(**changed))])
    assert len(list(csv.reader(io.StringIO(render(tables, "csv"), newline="")))) == 3
    assert [len(rows) for rows in markdown_tables(render(tables, "md"))] == [3, 3, 3]
    json.loads(render(tables, "json"))
    for line in render(tables, "latex").splitlines():
        assert line.isprintable()
    assert render(tables, "text", width=80, colour=True)


def test_a_long_name_does_not_stretch_a_table(tmp_path):
    error = {"type": "E", "message": "x" * 10_000, "traceback": None}
    runs = [make_run(status="failed", error=error), make_run(layers=2)]
    tables = comparison([load(write_sweep(tmp_path / "g", runs))])
    assert max(map(len, render(tables, "text").splitlines())) < 300


def test_another_package_adds_a_format(tables, monkeypatch):
    module = sys.modules[render.__module__]
    count = lambda tables: f"{len(tables)} tables\n"  # noqa: E731
    monkeypatch.setattr(module, "plugins", lambda group: {"count": count} if group else {})
    assert "count" in format_names()
    assert render(tables, "count") == "3 tables\n"


def test_titles_notices_notes_and_cells_are_escaped_in_html(tables):
    hostile = "<script>alert(1)</script>"
    notices, notes = (hostile,), (hostile,)
    changed = replace(tables[0], title=hostile, notices=notices, notes=notes)
    content = replace(
        changed.content, frame=changed.content.frame.assign(status="failed", reason=hostile)
    )
    text = render([replace(changed, content=content)], "html")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 4


def test_an_unknown_format_is_refused(tables):
    with pytest.raises(UsageError, match="text, csv, html, json, latex, md"):
        render(tables, "xlsx")
