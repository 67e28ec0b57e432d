"""Any text stays text, in every format."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mnist_sweep.reporting.escape import csv_text, latex, markdown, shortened, visible

HOSTILE = [
    "<script>alert(1)</script>", '" onmouseover="x', "</style>", "a|b", "a\nb", "*a*_b_`c`",
    "[a](http://x)", "![a](http://x)", "\u202eabc", "\\", "&lt;", "$x$", "~~a~~", "# a", "@a",
]  # fmt: skip


@given(st.text())
def test_visible_text_is_one_line_without_anything_hidden(text):
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs"}


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_markdown_cell_renders_as_exactly_its_text(text):
    page = f"| A | B |\n| --- | --- |\n| {markdown(text)} | end |\n"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 4
    assert cells[3].content == "end"
    kinds = {child.type for child in cells[2].children}
    assert kinds <= {"text", "text_special"}
    assert "".join(child.content for child in cells[2].children).strip() == visible(text).strip()


@given(st.text())
def test_latex_has_no_special_character_left(text):
    commands = re.compile(r"\\[a-z]+\{\}|\\texttt\{U\+[0-9A-F]+\}|\\[{}$&%#_]|\$\\[a-z]+\$")
    rest = commands.sub("", latex(text))
    assert not set(rest) & set("\\{}$&%#_~^")
    assert all(ord(character) < 256 for character in rest)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", " =", "\t=", "\uff1d", "\n@", "\r"])
def test_a_csv_cell_is_no_formula(start):
    cell = csv_text(f'{start}HYPERLINK("http://x")')
    assert cell.startswith("'")


@given(st.text())
def test_harmless_csv_text_stays_as_it_is_and_reads_back(text):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow([csv_text(visible(text)), "end"])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert row[0].removeprefix("'") == visible(text).removeprefix("'")
    assert not row[0].lstrip().startswith(("=", "+", "-", "@"))


def test_empty_text_is_empty():
    assert csv_text("") == markdown("") == latex("") == ""


def test_long_text_is_shortened():
    assert shortened("a" * 10_000, 20) == "a" * 19 + "…"
    assert shortened("abc", 3) == "abc"
