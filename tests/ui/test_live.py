"""A sweep that goes on while its page is open: pushed, and seen in a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra ui is not installed")
chromium = pytest.importorskip("support.chromium", reason="selenium is not installed")

from mnist_sweep.records.locks import release, try_lock  # noqa: E402
from mnist_sweep.records.paths import SweepPaths  # noqa: E402
from mnist_sweep.records.progress_file import add_epoch  # noqa: E402
from support.factories import make_run, reference_grid, write_run, write_sweep  # noqa: E402
from support.live_server import served  # noqa: E402

pytestmark = pytest.mark.slow
LATER = make_run(layers=3, nodes=100, accuracy=0.995)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    outputs = tmp_path_factory.mktemp("live") / "outputs"
    write_sweep(outputs / "grid", reference_grid(), [LATER])
    return outputs


@pytest.fixture(scope="module")
def address(outputs):
    with served(outputs) as address:
        yield address


@pytest.mark.skipif(not chromium.is_installed(), reason=chromium.MISSING)
def test_an_epoch_and_a_result_appear_by_themselves(address: str, outputs: Path):
    paths = SweepPaths(outputs / "grid")
    run = paths.run(LATER.values["label"], LATER.values["run_id"])
    browser = chromium.start()
    try:
        browser.get(f"{address}/sweep/grid")
        chromium.wait(browser, "document.body.innerText.includes('4 of 5')")
        browser.execute_script("window.same = true")
        lock = try_lock(paths.lock(LATER.values["run_id"]))
        assert lock is not None
        add_epoch(run.progress, 7, 20, {"val_accuracy": 0.625})
        chromium.wait(browser, "document.body.innerText.includes('7 / 20')")
        chromium.wait(
            browser,
            "[...(document.getElementById('curves').data ?? [])].some((t) => t.y.includes(62.5))",
        )
        run.progress.unlink()
        write_run(LATER, run.directory)
        release(lock)
        chromium.wait(browser, "document.body.innerText.includes('5 of 5')")
        first = "document.querySelector('table.ranked tbody th').textContent"
        chromium.wait(browser, f"{first} === '3 layers x 100 nodes'")
        assert browser.execute_script("return window.same"), "without loading the page again"
        assert chromium.complaints(browser) == []
        assert {url.partition("/sweep")[0].partition("/static")[0].partition("/events")[0]
                for url in chromium.requests(browser)} == {address}  # fmt: skip
        browser.get(f"{address}/")
        chromium.wait(browser, "document.body.innerText.includes('5 of 5')")
    finally:
        browser.quit()


def test_events_are_pushed_when_something_has_changed(address: str, outputs: Path):
    with urllib.request.urlopen(f"{address}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first = json.loads(_next_event(stream))
        assert "later" not in first["parts"]["list"]
        write_sweep(outputs / "later", reference_grid()[:2])
        assert "later" in json.loads(_next_event(stream))["parts"]["list"]


def _next_event(stream) -> bytes:
    for line in stream:
        if line.startswith(b"data: "):
            return line.removeprefix(b"data: ")
    raise AssertionError("the stream has ended")


def test_the_command_says_its_address_and_ends_with_ctrl_c(outputs: Path):
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "mnist_sweep", "ui", str(outputs), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        deadline = time.monotonic() + 60
        while True:
            try:
                assert b"grid" in urllib.request.urlopen(address).read()
                break
            except OSError:
                assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path, capsys):
    from mnist_sweep.cli import main

    with pytest.raises(SystemExit) as end:
        main(["ui", str(tmp_path / "none")])
    assert end.value.code == 2
    assert "ui DIR" in capsys.readouterr().err


def test_without_its_extra_it_says_what_to_install(tmp_path: Path, capsys, monkeypatch):
    from mnist_sweep.cli import main

    monkeypatch.delitem(sys.modules, "mnist_sweep.ui.app", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit) as end:
        main(["ui", str(tmp_path)])
    assert end.value.code == 2
    assert "pip install 'mnist-sweep[ui]'" in capsys.readouterr().err
