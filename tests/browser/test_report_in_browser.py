"""The report in a real browser: silent, alone, usable at every width."""

import numpy as np
import pytest

from support.factories import make_run, reference_grid, write_run, write_sweep

chromium = pytest.importorskip("support.chromium", reason="selenium is not installed")

from mnist_sweep.records.sweep import load  # noqa: E402
from mnist_sweep.reporting.report import write_report  # noqa: E402

pytestmark = pytest.mark.skipif(not chromium.is_installed(), reason=chromium.MISSING)
WIDTHS = (390, 1280, 2000)


@pytest.fixture(scope="module")
def browser():
    started = chromium.start()
    yield started
    started.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Six networks, one of them with repeats, a failed run, a gallery, and pictures for print."""
    runs = [*reference_grid(), make_run(layers=2, nodes=300, seed=1, accuracy=0.96)]
    runs += [make_run(layers=3, nodes=n, dropout=0.2, accuracy=0.97) for n in (100, 300)]
    runs.append(make_run(layers=3, status="failed"))
    sweep = write_sweep(tmp_path_factory.mktemp("browser") / "grid", runs)
    images = {"d" * 64: np.zeros((1000, 28, 28), dtype=np.uint8)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_sweep.reporting.figures.files.MAX_CONFUSIONS", 0)
        patch.setattr("mnist_sweep.reporting.figures.files.FORMATS", ("svg",))
        return write_report([sweep], images=images).page


@pytest.fixture(scope="module")
def opened(browser, report):
    """The report, loaded once, with all plots drawn."""
    chromium.resize(browser, 1280)
    chromium.requests(browser)
    chromium.complaints(browser)
    browser.get(report.as_uri())
    chromium.drawn(browser)
    return browser


@pytest.fixture
def page(opened):
    """The same page again, as it was at first."""
    yield opened
    opened.execute_script(
        "const f = document.getElementById('filter'); f.value = '';"
        "f.dispatchEvent(new Event('input'));"
        "for (const s of document.querySelectorAll('select')) { s.selectedIndex = "
        "Math.max(0, [...s.options].findIndex((o) => o.defaultSelected));"
        "s.dispatchEvent(new Event('change')); }"
    )


def rows_of(page, table=0):
    """The rows of a full table that are not hidden, as lists of texts."""
    return page.execute_script(
        "return [...document.querySelectorAll('#details table.runs')[arguments[0]].tBodies[0].rows]"
        ".filter((r) => !r.hidden).map((r) => [...r.cells].map((c) => c.textContent))",
        table,
    )


def type_filter(page, text):
    page.execute_script(
        "const f = document.getElementById('filter'); f.value = arguments[0];"
        "f.dispatchEvent(new Event('input'))",
        text,
    )
    chromium.wait(page, "document.getElementById('filter-said').textContent !== ''")


def choose(page, which, value):
    page.execute_script(
        "const s = document.getElementById(arguments[0]);"
        "s.value = [...s.options].find((o) => o.text === arguments[1]).value;"
        "s.dispatchEvent(new Event('change'))",
        which,
        value,
    )


def matrix(page):
    return page.execute_script(
        "return [...document.getElementById('matrix').tBodies[0].rows].map((r) => "
        "[...r.querySelectorAll('td')].map((c) => c.textContent))"
    )


def test_it_is_silent_and_asks_for_nothing(page, report):
    choose(page, "split", "validation")
    type_filter(page, "layers=2")
    for _ in range(3):
        page.execute_script("document.getElementById('theme').click()")
    image = page.execute_async_script(
        "const done = arguments[0];"
        "Plotly.toImage(document.querySelector('.plot'), {format: 'png'}).then(done, "
        "(e) => done(String(e)))"
    )
    assert image.startswith("data:image/png"), "a plot can be saved"
    assert chromium.complaints(page) == []
    assert set(chromium.requests(page)) == {report.as_uri()}
    plots = page.execute_script(
        "return [...document.querySelectorAll('.plot')]"
        ".map((p) => [p.id.slice(5), !!p.querySelector('svg')])"
    )
    assert dict(plots) == dict.fromkeys(
        ["learning-curves", "accuracy-against-cost", "importance", "effects",
         "parallel-coordinates", "spread"],
        True,
    )  # fmt: skip


def test_print_has_every_plot(page):
    """As still pictures, which need no script to be there in time."""
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        seen = page.execute_script(
            "return [...document.querySelectorAll('figure')].map((f) => ["
            "f.querySelector('.interactive').offsetHeight, f.querySelector('img').offsetHeight,"
            "f.querySelector('img').naturalWidth])"
        )
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert len(seen) == 6
    assert all(plot == 0 and still > 100 and width > 100 for plot, still, width in seen)


def test_a_phone_shows_a_metric_first(page):
    chromium.resize(page, 390, 844)
    place = page.execute_script(
        "const c = document.querySelector('.ranked tbody td').getBoundingClientRect();"
        "const n = document.querySelector('.numbers strong').getBoundingClientRect();"
        "return [n.bottom, c.right]"
    )
    assert place[0] < 300
    assert place[1] <= 390


def test_the_policy_holds(page):
    """A script or an image from outside that got into the page would not be loaded."""
    page.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.evil = 1';"
        "document.head.append(s);"
        "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)"
    )
    chromium.wait(page, "true")
    assert page.execute_script("return window.evil") is None
    assert all("Content Security Policy" in c["message"] for c in chromium.complaints(page))


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(page, width):
    chromium.resize(page, width)
    for is_open in (False, True):
        page.execute_script(
            "document.querySelectorAll('details').forEach((d) => { d.open = arguments[0] })",
            is_open,
        )
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        beyond = page.execute_script(
            "return [...document.querySelectorAll('body *')].filter((e) => "
            "!e.closest('.scroll > table, .interactive, .sr, pre') && "
            "e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 99))"
        )
        assert beyond == []


def test_a_click_on_a_heading_sorts_and_says_so(page):
    table = "document.querySelector('#details table.runs')"
    heading = f"[...{table}.tHead.rows[0].cells].find((h) => h.dataset.key === 'nodes')"
    index = page.execute_script(f"return {heading}.cellIndex")
    page.execute_script(f"{heading}.querySelector('button').click()")
    assert page.execute_script(f"return {heading}.getAttribute('aria-sort')") == "ascending"
    nodes = [int(row[index]) for row in rows_of(page)]
    assert nodes == sorted(nodes)
    page.execute_script(f"{heading}.querySelector('button').click()")
    assert page.execute_script(f"return {heading}.getAttribute('aria-sort')") == "descending"
    nodes = [int(row[index]) for row in rows_of(page)]
    assert nodes == sorted(nodes, reverse=True)


def test_rows_without_a_value_come_last_in_either_order(page):
    heading = "document.querySelector('#details th[data-key=\"test.accuracy\"] button')"
    for _ in range(2):
        page.execute_script(f"{heading}.click()")
        assert "MemoryError" in " ".join(rows_of(page)[-1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers=2", {("2", "100"), ("2", "300")}),
        ("layers=1,3 nodes>=300", {("1", "300"), ("3", "300")}),
        ("dropout>0", {("3", "100"), ("3", "300")}),
        ("status=failed", {("3", "100")}),
        ("nodes=300 layers!=2", {("1", "300"), ("3", "300")}),
        ("test.accuracy>98 layers<3", {("1", "300")}),
        ("no such run", set()),
    ],
)
def test_the_filter_leaves_what_is_asked_for(page, text, expected):
    type_filter(page, text)
    for table in range(3):
        assert {(row[0], row[1]) for row in rows_of(page, table)} == expected


def test_the_filter_holds_for_the_ranking_and_the_plots_too(page):
    count = (
        "document.getElementById('plot-accuracy-against-cost').data"
        ".flatMap((t) => t.y).filter((y) => y !== null).length"
    )
    ranked = "document.querySelectorAll('.ranked tbody tr:not([hidden])').length"
    assert page.execute_script(f"return [{count}, {ranked}]") == [12, 6]
    type_filter(page, "layers=2")
    chromium.wait(page, f"{count} === 4 && {ranked} === 2")


def test_a_filter_that_is_not_understood_says_what_there_is(page):
    type_filter(page, "layer=2")
    said = page.execute_script("return document.getElementById('filter-said').textContent")
    assert "No column layer: did you mean layers?" in said
    assert "nodes" in said


def test_the_switch_changes_the_matrix_to_the_records(page):
    for settings, name in (
        ({"layers": 1, "nodes": 100, "accuracy": 0.975}, "1 layer x 100 nodes, dropout=0"),
        ({"layers": 1, "nodes": 300, "accuracy": 0.985}, "1 layer x 300 nodes, dropout=0"),
    ):
        metrics = make_run(**settings).values["metrics"]
        for split in ("validation", "test"):
            choose(page, "network", name)
            choose(page, "split", split)
            shown = matrix(page)
            for true, row in enumerate(metrics[split]["confusion"]):
                texts = [str(n) if n or true == k else "" for k, n in enumerate(row)]
                assert shown[true] == texts
            digits = page.execute_script(
                "return [...document.getElementById('digits').tBodies[0].rows]"
                ".map((r) => [...r.cells].map((c) => c.textContent))"
            )
            for line, entry in zip(digits, metrics[split]["per_class"], strict=True):
                keys = ("precision", "recall", "f1")
                assert line[1:4] == [f"{entry[key]:.4f}" for key in keys]
                assert line[4] == str(entry["support"])
            assert name in page.execute_script(
                "return document.getElementById('matrix-caption').textContent"
            )


def test_two_networks_can_be_subtracted(page):
    choose(page, "network", "1 layer x 100 nodes, dropout=0")
    choose(page, "other", "1 layer x 300 nodes, dropout=0")
    first = make_run(layers=1, nodes=100, accuracy=0.975).values["metrics"]["test"]["confusion"]
    second = make_run(layers=1, nodes=300, accuracy=0.985).values["metrics"]["test"]["confusion"]
    difference = np.array(first) - np.array(second)
    expected = [[f"{n:+d}".replace("-", "\u2212") if n else "" for n in row] for row in difference]
    assert matrix(page) == expected
    choose(page, "rows", "predicted class, as the published report")
    assert matrix(page) == [list(column) for column in zip(*expected, strict=True)]
    axes = "return ['rows-h', 'columns-h'].map((id) => document.getElementById(id).textContent)"
    assert page.execute_script(axes) == ["Predicted class", "True class"]


def test_everything_that_can_be_clicked_can_be_reached_by_keyboard(page):
    unreachable = page.execute_script(
        "return [...document.querySelectorAll('button, select, input, a[href], summary, .scroll')]"
        ".filter((e) => e.offsetParent && e.tabIndex < 0 && !e.closest('.plot')).length"
    )
    assert unreachable == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page, theme):
    """WCAG 2.1's contrast of 4.5 for texts of the page and all cells of the matrix."""
    chromium.prefer(page, theme)
    ratios = page.execute_script(
        """
        const parse = (c) => { const n = c.match(/[\\d.]+/g).map(Number);
          return c.startsWith('color(srgb') ? n.map((v, i) => i < 3 ? 255 * v : v) : n; };
        const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
          .reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
        const ground = (e) => { for (; e; e = e.parentElement) {
          const c = getComputedStyle(e).backgroundColor; const p = parse(c);
          if (p.length < 4 || p[3] === 1) return p; } return [255, 255, 255]; };
        return [...document.querySelectorAll('h1,h2,h3,p,td,th,li,a,summary,caption,dt,small')]
          .filter((e) => e.offsetParent && e.textContent.trim() && !e.closest('.plot'))
          .map((e) => { const a = light(parse(getComputedStyle(e).color)), b = light(ground(e));
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.outerHTML.slice(0, 90)]; })
          .filter(([r]) => r < 4.5);
        """
    )
    assert ratios == []


def test_every_control_has_the_name_that_is_seen_and_no_control_holds_another(page):
    """axe-core's rules label, label-content-name-mismatch and nested-interactive."""
    wrong = page.execute_script(
        "return [...document.querySelectorAll('button, select, input, a[href], summary')]"
        ".filter((e) => !e.closest('.plot'))"
        ".filter((e) => (!e.textContent.trim() && !e.labels?.length) || "
        "e.hasAttribute('aria-label') || e.querySelector('button, select, input, a[href]'))"
        ".map((e) => e.outerHTML.slice(0, 99))"
    )
    assert wrong == []


def test_it_has_fewer_than_600_words(browser, tmp_path):
    """Of the five networks of the published report: what is read, without pictures and menus."""
    dropout = make_run(layers=2, nodes=300, dropout=0.2, accuracy=0.98)
    sweep = write_sweep(tmp_path / "reference", [*reference_grid(), dropout])
    browser.get(write_report([sweep], figures=False).page.as_uri())
    chromium.wait(browser, "document.documentElement.dataset.ready === 'yes'")
    words = browser.execute_script(
        "document.querySelectorAll('select, .plot').forEach((e) => e.remove());"
        "return document.body.innerText.split(/\\s+/).length"
    )
    assert 200 < words < 600


def test_hostile_markup_does_nothing_in_a_browser(browser, tmp_path):
    text = (
        "</script><script>window.evil=1</script><img src=x onerror='window.evil=1'>\" onmouseover="
    )
    good = make_run(activation=text)
    error = {"type": text, "message": text * 300, "traceback": text}
    bad = make_run(nodes=9, status="failed", error=error)
    for run in (good, bad):
        run.values["environment"]["cpu"] = text
        write_run(run, tmp_path / "runs" / f"x-{run.values['run_id']}")
    other = make_run(activation="<a href='javascript:alert(1)'>relu</a>")
    write_run(other, tmp_path / "runs" / f"y-{other.values['run_id']}")
    assert len(load(tmp_path).records) == 3
    page = write_report([tmp_path], figures=False).page
    chromium.resize(browser, 390)
    chromium.complaints(browser)
    chromium.requests(browser)
    browser.get(page.as_uri())
    chromium.drawn(browser)
    assert browser.execute_script("return window.evil") is None
    assert browser.execute_script("return document.querySelectorAll('.plot svg a').length") == 0
    assert chromium.complaints(browser) == []
    assert set(chromium.requests(browser)) == {page.as_uri()}
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_without_scripts_the_tables_and_a_matrix_are_there(browser, report):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chromium.resize(browser, 1280)
        browser.get(report.as_uri())
        text = browser.find_element("tag name", "body").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "Test accuracy" in text
    assert "1 layer x 300 nodes" in text
    assert "Predicted class" in text
    assert "Filter" not in text


def test_while_a_sweep_runs_the_page_reloads_until_it_is_paused(browser, tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run()], [make_run(layers=2)])
    written = write_report([sweep], figures=False, refresh_s=3)
    assert written.missing == 1
    chromium.resize(browser, 1280)
    browser.get(written.page.as_uri())
    browser.execute_script("window.before = true")
    type_filter(browser, "mlp")
    chromium.wait(
        browser, "window.before === undefined && document.getElementById('pause') !== null"
    )
    chromium.wait(browser, "document.getElementById('filter').value === 'mlp'")
    browser.execute_script("document.getElementById('pause').click(); window.before = true")
    text = "document.getElementById('pause').textContent"
    assert browser.execute_script(f"return {text}") == "Resume"
