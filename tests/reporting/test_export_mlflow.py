"""A sweep in MLflow: asked through its own API and a real server, its numbers are the records'."""

import importlib.util
import json
import math
import os
import subprocess
import sys
import urllib.request

import pytest

from conftest import REPOSITORY
from mnist_sweep.errors import UsageError
from mnist_sweep.records.fields import flat
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.export import ExportOptions
from mnist_sweep.reporting.export import mlflow as our_export
from support.factories import make_run, reference_grid, write_run, write_sweep

needs_mlflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mlflow", "sqlalchemy", "alembic")),
    reason="needs the extra: pip install 'mnist-sweep[mlflow]'",
)
needs_server = pytest.mark.skipif(
    importlib.util.find_spec("flask") is None,
    reason="needs the whole of MLflow: pip install mlflow",
)

ASK = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1], registry_uri=sys.argv[1])
(found,) = [e for e in client.search_experiments() if e.name == sys.argv[2]]
runs = client.search_runs([found.experiment_id], max_results=1000)
print(json.dumps([
    {
        "name": r.info.run_name, "status": r.info.status, "mlflow_id": r.info.run_id,
        "start": r.info.start_time, "end": r.info.end_time,
        "tags": r.data.tags, "params": r.data.params, "metrics": r.data.metrics,
        "series": {
            name: [(m.step, m.value) for m in client.get_metric_history(r.info.run_id, name)]
            for name in r.data.metrics if name.startswith("epoch/")
        },
        "files": sorted(f.path for f in client.list_artifacts(r.info.run_id)),
        "record": open(client.download_artifacts(r.info.run_id, "record.json")).read(),
    }
    for r in runs
]))
"""
"""In a process of its own: MLflow warns of much that is not ours to mend."""


def run(*words, check=True):
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=REPOSITORY, capture_output=True, text=True,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}, check=False,
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stderr
    return done


def export(*words, **more):
    return run("-m", "mnist_sweep", "export", *words, "--to", "mlflow", **more)


def ask(uri, experiment="grid"):
    return json.loads(run("-c", ASK, uri, experiment).stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    runs = [*reference_grid(), make_run(layers=2, nodes=50, status="diverged")]
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "grid", runs)


@pytest.fixture(scope="module")
def exported(sweep):
    """A store in a folder whose name has what URIs encode."""
    folder = sweep.parent / "a%20b #é"
    done = export(sweep, "--output", folder)
    assert "5 runs exported" in done.stdout
    assert {one.name for one in sweep.parent.iterdir()} == {"grid", folder.name}
    return our_export.local_store(folder)


@pytest.fixture(scope="module")
def found(exported):
    return {run["tags"]["mnist_sweep.run_id"]: run for run in ask(exported)}


@needs_mlflow
def test_every_run_is_there_with_the_numbers_of_its_record(sweep, found):
    records = load(sweep).records
    assert found.keys() == {record.run_id for record in records}
    for record in records:
        one, row = found[record.run_id], flat(record)
        assert one["name"] == f"{record.label}-{record.run_id}"
        assert one["status"] == ("FINISHED" if record.status == "finished" else "FAILED")
        for name in ("layers", "nodes", "seed", "optimizer", "trainer.name", "model._target_"):
            assert one["params"][name] == str(row[name])
        results = {n: v for n, v in one["metrics"].items() if not n.startswith("epoch/")}
        wanted = {
            name.replace(".", "/", 1): value
            for name, value in row.items()
            if name.startswith(("train.", "validation.", "test.", "time.")) or name == "parameters"
        }
        assert results == {name: value for name, value in wanted.items() if value is not None}
        for name, values in record.history.model_dump().items():
            series = one["series"].get(f"epoch/{name}", [])
            assert [step for step, _ in series] == list(range(1, len(values) + 1))
            for (_, value), expected in zip(series, values, strict=True):
                assert value == expected or (expected is None and math.isnan(value))


@needs_mlflow
def test_files_and_the_data_s_hash_come_along(sweep, found):
    for record in load(sweep).records:
        one = found[record.run_id]
        finished = record.status == "finished"
        assert one["files"] == (["predictions.npz"] if finished else []) + ["record.json"]
        assert json.loads(one["record"])["run_id"] == record.run_id
        assert one["tags"]["mnist_sweep.data_sha256"] == record.data.sha256
        total = record.time.total_s if record.time else 0
        assert (one["end"] - one["start"]) / 1000 == pytest.approx(total, abs=0.002)


@needs_mlflow
def test_exporting_again_adds_only_what_is_new_and_replaces_what_was_run_again(
    sweep, exported, found
):
    to = ("--output", sweep.parent / "a%20b #é")
    assert "0 runs exported, 5 there already" in export(sweep, *to).stdout
    again = make_run(layers=1, nodes=100, accuracy=0.5)
    write_run(again, sweep / "runs" / again.directory_name)
    new = make_run(layers=1, nodes=7)
    write_run(new, sweep / "runs" / new.directory_name)
    assert "2 runs exported, 4 there already" in export(sweep, *to).stdout
    after = {run["tags"]["mnist_sweep.run_id"]: run for run in ask(exported)}
    assert len(after) == 6
    accuracy = again.values["metrics"]["test"]["accuracy"]
    assert after[again.values["run_id"]]["metrics"]["test/accuracy"] == accuracy
    kept = found.keys() - {again.values["run_id"]}
    assert {after[r]["mlflow_id"] for r in kept} == {found[r]["mlflow_id"] for r in kept}


@needs_mlflow
@needs_server
def test_a_real_server_shows_the_export(sweep, exported, tmp_path):
    import socket
    import time

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["-m", "mlflow", "server", "--backend-store-uri", exported, "--host", "127.0.0.1",
             "--port", str(port), "--workers", "1"]  # fmt: skip
    base = f"http://127.0.0.1:{port}"
    log = (tmp_path / "server.log").open("w")
    with (
        log,
        subprocess.Popen(
            [sys.executable, *words], cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        ) as server,
    ):
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    urllib.request.urlopen(f"{base}/health", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < until, (tmp_path / "server.log").read_text()
                    time.sleep(0.3)
            runs = {run["tags"]["mnist_sweep.run_id"]: run for run in ask(base)}
            for record in load(sweep).records:
                if record.metrics:
                    metrics = runs[record.run_id]["metrics"]
                    assert metrics["test/accuracy"] == record.metrics.test.accuracy
            done = export(sweep, "--tracking-uri", base, "--experiment", "by server")
            assert "exported in experiment by server" in done.stdout
            assert len(ask(base, "by server")) == len(load(sweep).records)
        finally:
            os.killpg(server.pid, 15)


@needs_mlflow
@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:9", "nonsense://x", "file:///tmp/store", "sqlite:////proc/no/mlflow.db"],
)
def test_a_store_that_cannot_be_used_is_one_error(sweep, uri):
    done = export(sweep, "--tracking-uri", uri, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mnist-sweep: ")


def test_a_missing_package_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    grid = write_sweep(tmp_path / "grid", [make_run()])
    with pytest.raises(UsageError, match=r"pip install 'mnist-sweep\[mlflow\]'"):
        our_export.export(load(grid), ExportOptions(tmp_path / "mlflow", experiment="grid"))
