"""A sweep in TensorBoard: started for real, asked over HTTP, and its numbers are the records'."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from urllib.parse import urlencode

import numpy as np
import pytest
from click.testing import CliRunner

from conftest import REPOSITORY
from mnist_sweep.cli.report import export
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.fields import flat
from mnist_sweep.records.sweep import load
from support.factories import make_run, reference_grid, write_sweep

pytest.importorskip("tensorboard", reason="needs the extra: pip install 'mnist-sweep[tensorboard]'")

# TensorBoard reads event files without TensorFlow as well, and starts in a fifth of the time.
SERVE = (
    "import sys, types\n"
    "sys.modules['tensorboard.compat.notf'] = types.ModuleType('tensorboard.compat.notf')\n"
    "from tensorboard.main import run_main\n"
    "run_main()"
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    runs = [
        *reference_grid(),
        make_run(layers=2, nodes=50, status="diverged"),
        make_run(layers=4, nodes=50, status="failed"),
        make_run(layers=5, nodes=50, status="pruned"),
    ]
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "grid", runs, [make_run(layers=9)])


def invoke(*arguments):
    return CliRunner().invoke(export, [str(word) for word in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def exported(sweep):
    result = invoke(sweep, "--to", "tensorboard")
    assert "7 runs exported" in result.stdout
    assert "layers=9" in result.stderr  # what has no record is named
    return sweep / "tensorboard"


@pytest.fixture(scope="module")
def ask(exported):
    """Asks a TensorBoard that shows the export."""
    words = ("--logdir", exported, "--host", "127.0.0.1", "--port", "0", "--load_fast", "false")
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, *words], stderr=subprocess.PIPE, text=True
    ) as server:
        lines = []
        for line in server.stderr:
            lines.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                break
        else:
            pytest.fail(f"TensorBoard did not start: {lines}")

        def asking(place, body=None, **query):
            url = f"{found[0]}/data/{place}" + (f"?{urlencode(query)}" if query else "")
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)

        until = time.monotonic() + 60
        while len(asking("plugin/scalars/tags")) < 5 and time.monotonic() < until:
            time.sleep(0.1)  # it reads the directory after it has begun to answer
        yield asking
        server.terminate()


def name_of(record):
    return f"{record.label}-{record.run_id}"


def test_curves_are_the_histories_of_the_records(sweep, ask):
    for record in load(sweep).records:
        for series, values in record.history.model_dump().items():
            if not values:
                continue
            found = ask("plugin/scalars/scalars", run=name_of(record), tag=f"epoch/{series}")
            assert [step for _, step, _ in found] == list(range(1, len(values) + 1))
            wanted = np.array([np.nan if v is None else v for v in values], dtype=np.float32)
            np.testing.assert_array_equal(np.array([v for *_, v in found], np.float32), wanted)
            times = [when for when, *_ in found]
            assert times == sorted(times)


def test_results_are_the_metrics_of_the_records(sweep, ask):
    for record in load(sweep).records:
        if record.status != "finished":
            continue
        row = flat(record)
        names = ["test.accuracy", "validation.f1_min", "test.f1.8", "train.loss", "time.train_s"]
        for name in names:
            found = ask(
                "plugin/scalars/scalars", run=name_of(record), tag=name.replace(".", "/", 1)
            )
            assert [np.float32(value) for *_, value in found] == [np.float32(row[name])]


def test_the_hparams_table_has_every_run_with_its_settings_and_results(sweep, ask):
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    query = {"allowedStatuses": statuses, "colParams": [], "startIndex": 0, "sliceSize": 100}
    groups = {g["name"]: g for g in ask("plugin/hparams/session_groups", query)["sessionGroups"]}
    records = {record.run_id: record for record in load(sweep).records}
    assert groups.keys() == records.keys()
    for run_id, group in groups.items():
        record = records[run_id]
        for name in ("layers", "nodes", "seed", "learning_rate", "optimizer", "save_model"):
            assert group["hparams"][name] == record.config[name]
        assert group["hparams"]["trainer.name"] == record.config["trainer"]["name"]
        finished = record.status == "finished"
        status = group["sessions"][0]["status"]
        known = {"finished": "STATUS_SUCCESS", "pruned": "STATUS_UNKNOWN"}
        assert status == known.get(record.status, "STATUS_FAILURE")
        values = {m["name"]["tag"]: m["value"] for m in group.get("metricValues", ())}
        if finished:
            test = record.metrics.test
            assert np.float32(values["test/accuracy"]) == np.float32(test.accuracy)
            assert np.float32(values["test/f1_min"]) == np.float32(test.f1_min)


def test_the_table_marks_the_settings_in_which_runs_differ(ask):
    infos = ask("plugin/hparams/experiment", {})["hparamInfos"]
    assert {info["name"] for info in infos if info["differs"]} == {"layers", "nodes"}
    assert "model.layers" not in {info["name"] for info in infos}


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns) for path in files
    }


def test_exporting_again_changes_nothing_and_adds_what_is_new(exported, sweep):
    before = contents(exported)
    result = invoke(sweep, "--to", "tensorboard")
    assert "0 runs exported, 7 there already" in result.stdout
    assert contents(exported) == before
    other = write_sweep(sweep.parent / "more", [make_run(layers=1, nodes=9)])
    assert "1 run exported" in invoke(other, "--to", "tensorboard", "--output", exported).stdout
    run = next(path for path in exported.iterdir() if "nodes=9" in path.name)
    assert contents(run).keys() == {next(iter(contents(run)))}


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(sweep, exported, tmp_path):
    words = ["export", sweep, "--to", "tensorboard", "--output", tmp_path / "again"]
    code = (
        "import sys, mnist_sweep.cli\n"
        "try: mnist_sweep.cli.main(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=REPOSITORY, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    for path, (content, _) in contents(tmp_path / "again").items():
        if len(path.parts) == 2:  # the runs; the columns know of a further run by now
            assert (exported / path).read_bytes() == content


def test_a_label_from_elsewhere_cannot_leave_the_log_directory(tmp_path):
    directory = write_sweep(tmp_path / "sweep", [make_run(layers=2)])
    record = next(directory.glob("runs/*/record.json"))
    values = json.loads(record.read_text())
    values["label"] = "../../escape"
    values["sha256"] = None  # as in an older record
    record.write_text(json.dumps(values))
    invoke(directory, "--to", "tensorboard", "--output", tmp_path / "a" / "b")
    written = {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("events*")}
    assert written == {"a"}


def test_a_missing_package_names_the_extra(sweep, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams.metadata", None)
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams", None)
    with pytest.raises(MnistSweepError, match=r"pip install 'mnist-sweep\[tensorboard\]'"):
        invoke(sweep, "--to", "tensorboard")


@pytest.mark.parametrize("more", [["--tracking-uri", "http://localhost"], ["--experiment", "x"]])
def test_what_belongs_to_mlflow_is_refused(sweep, more):
    with pytest.raises(MnistSweepError, match="belong to --to mlflow"):
        invoke(sweep, "--to", "tensorboard", *more)
