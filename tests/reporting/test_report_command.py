"""`report DIR…`: from records alone, without TensorFlow; `--watch` follows a running sweep."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_sweep.cli.report import report
from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.store import write_json
from mnist_sweep.report_images import images_of
from support.factories import make_run, write_run, write_sweep


def invoke(*words):
    result = CliRunner().invoke(report, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.slow
def test_it_writes_page_figures_and_tables_and_says_the_seconds(tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run()])
    result = invoke(sweep)
    assert f"Report: {sweep / 'report.html'}" in result.output
    assert " s)" in result.output
    assert (sweep / "figures" / "learning-curves.svg").exists()
    assert (sweep / "tables" / "comparison.tex").exists()


@pytest.mark.slow
def test_several_directories_go_together_into_one_report(tmp_path):
    first, second = (write_sweep(tmp_path / name, [make_run()]) for name in "ab")
    with pytest.raises(UsageError, match="--output"):
        invoke(first, second)
    invoke(first, second, "--output", tmp_path / "both", "--no-figures")
    assert (tmp_path / "both" / "report.html").exists()
    assert not (tmp_path / "both" / "figures").exists()
    assert not (first / "report.html").exists()


def test_a_wrong_directory_is_refused_also_when_watching(tmp_path):
    for words in ([], ["--watch"]):
        with pytest.raises(DirectoryError, match="no such directory"):
            invoke(tmp_path / "nowhere", *words)


@pytest.mark.slow
def test_it_imports_neither_tensorflow_nor_hydra_and_tables_import_no_figures(tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run()])
    program = (
        "import sys, atexit; from mnist_sweep import cli\n"
        "atexit.register(lambda: print(sorted({name.partition('.')[0] for name in sys.modules})))\n"
        "cli.main(sys.argv[1:])"
    )

    def modules(*words):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    loaded = modules("report", str(sweep), "--no-figures")
    for name in ("tensorflow", "keras", "hydra", "omegaconf", "torch", "matplotlib"):
        assert f"'{name}'" not in loaded
    loaded = modules("table", str(sweep))
    for name in ("matplotlib", "plotly", "jinja2", "PIL"):
        assert f"'{name}'" not in loaded


def test_the_gallery_s_images_come_from_the_cache_by_the_plan(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    source = tmp_path / "data.npz"
    arrays = {
        "x_train": rng.integers(0, 256, (60, 4, 4), dtype=np.uint8),
        "y_train": np.arange(60, dtype=np.uint8) % 3,
        "x_test": rng.integers(0, 256, (12, 4, 4), dtype=np.uint8),
        "y_test": np.arange(12, dtype=np.uint8) % 3,
    }
    np.savez(source, **arrays)
    from mnist_sweep.data import prepare
    from mnist_sweep.settings import defaults

    settings = {**defaults()["data"], "name": "npz", "path": str(source)}
    info = prepare(settings, {**os.environ, "MNIST_SWEEP_CACHE": str(tmp_path / "cache")})
    sweep = tmp_path / "grid"
    plan = {"invocations": [{"data": {"key": info.to_dict()}}]}
    write_json(SweepPaths(sweep).sweep_json, plan)
    assert np.array_equal(images_of([sweep])[info.sha256], arrays["x_test"])
    gone = DatasetInfo.from_dict({**info.to_dict(), "cache": str(tmp_path / "elsewhere")})
    write_json(SweepPaths(sweep).sweep_json, {"invocations": [{"data": {"key": gone.to_dict()}}]})
    assert images_of([sweep]) == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"invocations": [{"data": {"k": 3}}]}', "null"]
)
def test_a_damaged_plan_only_costs_the_gallery(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    assert images_of([tmp_path]) == {}


@pytest.mark.slow
def test_watching_keeps_the_page_fresh_until_every_planned_run_is_there(tmp_path):
    first, second = make_run(layers=1), make_run(layers=2)
    sweep = write_sweep(tmp_path / "grid", [], [first, second])
    pages = []

    def run_the_sweep():
        for run in (first, second):
            time.sleep(0.2)
            write_run(run, sweep / "runs" / run.directory_name)
            before = (sweep / "report.html").stat().st_mtime_ns if pages else 0
            for _ in range(600):
                page = sweep / "report.html"
                if page.exists() and page.stat().st_mtime_ns != before:
                    text = page.read_text(encoding="utf-8")
                    if f"<strong>{len(pages) + 1} of 2</strong>" in text:
                        pages.append(text)
                        break
                time.sleep(0.05)

    sweeping = threading.Thread(target=run_the_sweep)
    sweeping.start()
    result = invoke(sweep, "--watch", "--interval", "1", "--no-figures")
    sweeping.join()
    assert "1 runs missing" in result.output
    assert "0 runs missing" in result.output
    assert '"refresh":1' in pages[0]
    assert '"refresh":0' in (sweep / "report.html").read_text(encoding="utf-8")
