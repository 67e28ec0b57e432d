"""The pages of `mnist-sweep ui` in a real browser, and all pages under axe-core's rules."""

import os
from pathlib import Path

import pytest

from support.factories import make_run, reference_grid, write_sweep

pytest.importorskip("uvicorn", reason="the extra ui is not installed")
chromium = pytest.importorskip("support.chromium", reason="selenium is not installed")

from mnist_sweep.reporting.report import write_report  # noqa: E402
from support.live_server import served  # noqa: E402

pytestmark = pytest.mark.skipif(not chromium.is_installed(), reason=chromium.MISSING)
AXE = os.environ.get("MNIST_SWEEP_AXE", "")
PAGES = ("", "sweep/grid", "table", "table?runs=1", "compare?of=grid&of=again", "files/grid")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("pages") / "outputs"
    failed = make_run(layers=3, dropout=0.25, learning_rate=1e-30, status="failed")
    write_sweep(outputs / "grid", [*reference_grid(), failed], [make_run(layers=4)])
    write_sweep(outputs / "again", reference_grid(seeds=(1, 2), epochs=5))
    write_report([outputs / "grid"], figures=False)
    return outputs


@pytest.fixture(scope="module")
def address(outputs):
    with served(outputs) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    started = chromium.start()
    yield started
    started.quit()


@pytest.fixture
def table(browser, address):
    """The table of all runs, one row per run, as it is at first."""
    chromium.resize(browser, 1280)
    browser.get(f"{address}/table?runs=1")
    chromium.wait(browser, "document.querySelector('#merged, [aria-labelledby=merged]') !== null")
    chromium.wait(browser, "document.querySelector('th[data-key=nodes] button') !== null")
    yield browser
    browser.execute_script("sessionStorage.clear(); localStorage.clear()")


def shown(table, key):
    """A column's texts in the rows that are not hidden, in order; None if it is hidden itself."""
    return table.execute_script(
        "const h = document.querySelector(`table th[data-key='${arguments[0]}']`);"
        "return h.hidden ? null : [...h.closest('table').tBodies[0].rows]"
        ".filter((r) => !r.hidden).map((r) => r.cells[h.cellIndex].textContent.trim())",
        key,
    )


def test_the_table_is_sorted_by_a_click_on_a_heading(table):
    heading = "document.querySelector('table th[data-key=nodes]')"
    for order, step in (("ascending", 1), ("descending", -1)):
        table.execute_script(f"{heading}.querySelector('button').click()")
        assert table.execute_script(f"return {heading}.getAttribute('aria-sort')") == order
        nodes = [int(text) for text in shown(table, "nodes")]
        assert nodes == sorted(nodes)[::step]
        assert len({*nodes}) > 1


def test_the_table_is_filtered_by_what_is_typed(table):
    assert {*shown(table, "sweep")} == {"grid", "again"}
    table.execute_script(
        "const f = document.getElementById('filter'); f.value = 'layers=2 sweep=again';"
        "f.dispatchEvent(new Event('input'))"
    )
    chromium.wait(table, "document.getElementById('filter-said').textContent !== ''")
    assert {*shown(table, "sweep")} == {"again"}
    assert shown(table, "layers") == ["2"] * 4


def test_a_column_is_hidden_until_it_is_asked_for_again(table):
    box = "document.querySelector('.columns input[value=nodes]')"
    before = shown(table, "nodes")
    table.execute_script(f"{box}.click()")
    assert shown(table, "nodes") is None
    table.refresh()
    chromium.wait(table, "document.querySelector('th[data-key=nodes]').hidden")
    table.execute_script(f"{box}.click()")
    assert shown(table, "nodes") == before
    assert chromium.complaints(table) == []


def test_no_page_is_wider_than_a_phone(browser, address):
    chromium.resize(browser, 390, 844)
    widths = {}
    for page in PAGES:
        browser.get(f"{address}/{page}")
        widths[page] = browser.execute_script("return document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(PAGES, 390)


@pytest.mark.skipif(
    not AXE, reason="set MNIST_SWEEP_AXE to axe-core's axe.min.js (npm install axe-core)"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", [*PAGES, "report"])
def test_axe_finds_nothing(browser, address, outputs, page, theme):
    chromium.prefer(browser, theme)
    report = (outputs / "grid" / "report.html").as_uri()
    browser.get(report if page == "report" else f"{address}/{page}")
    chromium.wait(browser, "document.readyState === 'complete'")
    if page == "report":
        chromium.drawn(browser)
    script = Path(AXE).read_text(encoding="utf-8")
    browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script})
    found = browser.execute_async_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true });"
        "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((r) => "
        "done(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])), "
        "(e) => done(String(e)))"
    )
    assert found == []


@pytest.mark.parametrize("page", ["table", "table?runs=1"])
def test_the_table_is_not_cut_in_print(browser, address, page):
    browser.get(f"{address}/{page}")
    chromium.resize(browser, 1045)  # A4, landscape, without its margins
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        width = browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert width <= 1045
