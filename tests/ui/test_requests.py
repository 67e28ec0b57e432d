"""What the page answers, and what it refuses: foreign hosts and sites, writes, ways out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

pytest.importorskip("starlette", reason="the extra ui is not installed")

from starlette.testclient import TestClient

from mnist_sweep.command import command
from mnist_sweep.records import cache
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.progress_file import add_epoch
from mnist_sweep.records.sweep import load
from mnist_sweep.ui import pages
from mnist_sweep.ui.app import application
from support.factories import make_run, reference_grid, write_sweep

if TYPE_CHECKING:
    from mnist_sweep.records.table import Rows

MARKUP = "<img src=x onerror=alert(1)>"
RUNNING = make_run(layers=3, nodes=100)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A directory with three sweeps, what is no sweep, and links that lead out."""
    root = tmp_path_factory.mktemp("ui") / "outputs"
    failed = make_run(layers=3, nodes=300, status="failed")
    failed.values["error"]["message"] = MARKUP
    write_sweep(root / "grid", [*reference_grid(), failed], [RUNNING])
    write_sweep(root / "team" / "again", reference_grid())
    write_sweep(root / MARKUP, reference_grid()[:1])
    outside = write_sweep(root.parent / "outside", reference_grid()[:1])
    (root.parent / "secret.txt").write_text("secret")
    (root / "notes.txt").write_text("secret")
    (root / "grid" / "link.txt").symlink_to(root.parent / "secret.txt")
    (root / "grid" / "model.keras").write_text("secret")
    (root / "grid" / ".hidden.txt").write_text("secret")
    (root / "linked").symlink_to(outside)
    (root / os.fsdecode(b"not \xff text")).mkdir()  # no address can name it
    write_sweep(root / "moved", reference_grid()[:1]).rename(root / os.fsdecode(b"a \xff sweep"))
    os.mkfifo(root / "grid" / "pipe.txt")
    return root


@pytest.fixture(scope="module")
def client(root):
    return TestClient(application(root), base_url="http://127.0.0.1:8707")


def test_the_list_has_every_sweep_with_its_progress_and_best(client: TestClient):
    for _ in range(10):  # each look reads sweeps for a while, and the next goes on
        text = client.get("/").text
        if '<td class="n">…' not in text:
            break
    assert 'href="/sweep/grid"' in text
    assert 'href="/sweep/team/again"' in text
    assert "5 of 6" in text
    assert "1 layer x 300 nodes" in text
    assert "outside" not in text
    assert "linked" not in text


def test_a_sweeps_page_has_its_ranking_its_failures_and_no_markup_of_theirs(client: TestClient):
    text = client.get("/sweep/grid").text
    assert text.index("1 layer x 300 nodes") < text.index("2 layers x 300 nodes")
    assert "&lt;img src=x" in text
    hostile = client.get(f"/sweep/{quote(MARKUP)}").text
    assert "&lt;img src=x" in hostile
    assert MARKUP not in text + hostile + client.get("/").text


def test_a_run_is_running_while_its_lock_is_held(client: TestClient, root: Path):
    paths = SweepPaths(root / "grid")
    run = paths.run(RUNNING.values["label"], RUNNING.values["run_id"])
    add_epoch(run.progress, 3, 10, {"val_accuracy": 0.5})
    lock = try_lock(paths.lock(RUNNING.values["run_id"]))
    assert lock is not None
    try:
        pushed = json.loads(pages.sweep_events(root, root / "grid"))
    finally:
        release(lock)
    assert "3 / 10" in pushed["parts"]["state"]
    assert "running now" in pushed["parts"]["state"]
    first, *others = pushed["curves"]
    assert first == {
        "name": RUNNING.values["label"], "running": True, "figures": {"val_accuracy": [[3, 0.5]]},
    }  # fmt: skip
    assert {one["running"] for one in others} == {False}
    after = json.loads(pages.sweep_events(root, root / "grid"))
    assert "Interrupted" in after["parts"]["state"]
    assert command("resume", root / "grid") in after["parts"]["state"]


def test_two_sweeps_are_compared(client: TestClient):
    answer = client.get("/compare", params={"of": ["grid", "team/again"]})
    assert answer.status_code == 200
    assert "grid against again" in answer.text
    assert '<a href="/">' in answer.text
    assert client.get("/compare", params={"of": ["grid", "grid"]}).status_code == 400
    assert client.get("/compare", params={"of": ["grid", "../outside"]}).status_code == 404


def test_the_runs_of_sweeps_are_in_one_table(client: TestClient):
    text = client.get("/table", params={"of": ["grid", "team/again"]}).text
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])["columns"]
    assert sorted(set(data["sweep"])) == ["grid", "team/again"]
    finished = [one for one in data["validation.accuracy"] if one is not None]
    assert finished == sorted(finished, reverse=True)
    assert len(finished) == 8
    assert data["validation.accuracy"][8:] == [None, None], "the failed and the missing run stay"
    assert data["status"][8:] != ["finished", "finished"]
    csv = client.get("/table", params={"of": ["grid", "team/again"], "csv": 1})
    assert csv.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    assert ",sweep,validation.accuracy,layers,nodes," in csv.text.splitlines()[0]
    assert len(csv.text.splitlines()) == 11
    every = client.get("/table").text
    assert "outside" not in every
    assert MARKUP not in every
    assert "&lt;img src=x" in every


def test_the_table_shows_what_cannot_be_read_and_names_that_are_no_text(tmp_path: Path):
    sweep = write_sweep(tmp_path / "s", reference_grid()[:2])
    (sweep / "runs" / os.fsdecode(b"\xff-0123456789ab")).mkdir()
    client = TestClient(application(tmp_path), base_url="http://127.0.0.1:8707")
    assert client.get("/table?of=s").status_code == 200
    for record in sweep.glob("runs/*/record.json"):
        record.write_text("{")
    answer = client.get("/table?of=s&runs=1")
    assert answer.status_code == 200
    assert answer.text.count("not valid JSON") == 4  # two rows, and below them two problems


def test_the_table_says_when_there_is_something_new(client: TestClient, root: Path):
    """It does not change by itself: its reader sorts and filters it."""
    assert client.get("/table?of=team/again").text.count("data-stamp=") == 1
    again = root / "team" / "again"
    before = pages.table_events(root, [again])
    assert pages.table_events(root, [again]) == before
    plan = SweepPaths(again).sweep_json
    os.utime(plan, ns=(1, 1))
    assert pages.table_events(root, [again]) != before


def test_only_what_changed_is_read_and_nothing_is_written(root: Path, tmp_path: Path, monkeypatch):
    sweep = write_sweep(tmp_path / "large", reference_grid())
    for path in sweep.rglob("*.*"):
        os.utime(path, ns=(1, 1))
    monkeypatch.setattr("mnist_sweep.records.cache.MIN_RUNS", 1)
    monkeypatch.setattr("mnist_sweep.records.cache.RACY_NS", 0)
    read: list[str] = []
    run = cache.read_run
    monkeypatch.setattr(cache, "read_run", lambda p, i: (read.append(i), run(p, i))[1])
    before = sorted(map(str, sweep.rglob("*")))
    memory: list[Rows] = []
    first = load(sweep, memory=memory)
    assert len(read) == 4
    read.clear()
    write_sweep(sweep, [RUNNING])
    later = load(sweep, memory=memory)
    assert read == [RUNNING.values["run_id"]]
    assert len(later.frame) == len(first.frame) + 1
    assert not SweepPaths(sweep).cache.exists()
    added = set(map(str, sweep.rglob("*"))) - set(before)
    assert all(RUNNING.values["run_id"] in path for path in added)


def test_files_of_a_run_and_a_report_are_shown(client: TestClient, root: Path):
    run = next((root / "grid" / "runs").glob("layers=1*"))
    address = f"/files/grid/runs/{quote(run.name)}/"
    assert 'href="record.json"' in client.get(address).text
    assert 'href="sweep.json"' in client.get("/files/grid/").text
    record = client.get(f"{address}record.json")
    assert record.headers["content-type"].startswith("text/plain")
    assert record.json()["label"] in run.name
    (root / "team" / "again" / "report.html").write_text("<script>1</script>")
    report = client.get("/files/team/again/report.html")
    assert report.headers["content-type"].startswith("text/html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert "allow-same-origin" not in report.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8707", "127.0.0.1.evil.example", ""]
)
def test_a_foreign_host_gets_nothing(client: TestClient, host: str):
    for path in ("/", "/events", "/sweep/grid", "/static/ui.js"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 400
        assert "grid" not in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_scripts_get_nothing_but_its_links_work(client: TestClient, site: str):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
    assert client.get("/", headers=headers).status_code == 403
    assert client.get("/", headers={**headers, "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_is_written(client: TestClient, root: Path, method: str):
    before = {path: path.stat().st_mtime_ns for path in (root / "grid").rglob("*")}
    for path in ("/", "/sweep/grid", "/files/grid/sweep.json", "/compare"):
        answer = client.request(method, path, headers={"origin": "https://evil.example"})
        assert answer.status_code == 405
    assert before == {path: path.stat().st_mtime_ns for path in (root / "grid").rglob("*")}


@pytest.mark.parametrize("path", ["/", "/sweep/grid", "/nowhere", "/files/grid/sweep.json"])
def test_every_answer_keeps_other_sites_out(client: TestClient, path: str):
    headers = client.get(path, headers={"origin": "https://evil.example"}).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "path",
    [
        "/files/%2e%2e/secret.txt", "/files/grid/%2e%2e/%2e%2e/secret.txt", "/files//etc/passwd",
        "/files/%2Fetc%2Fpasswd", "/files/grid/link.txt", "/files/linked/sweep.json",
        "/files/notes.txt", "/files/grid/model.keras", "/files/grid/.hidden.txt",
        "/files/grid/pipe.txt", "/files/", "/files/team/", "/sweep/%2e%2e/outside", "/sweep/linked",
        "/sweep/team", "/sweep/nowhere", "/events/%2e%2e/outside", "/static/%2e%2e/app.py",
        "/static/x.js", "/files/grid/x%00", "/compare?of=notes.txt&of=grid",
        "/compare?of=team&of=grid", "/table?of=../outside", "/table?of=team",
        "/events-of-table?of=linked",
    ],
)  # fmt: skip
def test_what_lies_elsewhere_is_not_shown(client: TestClient, path: str):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert "root:" not in answer.text
