"""Directories that other programs wrote: a plain Hydra multirun, read through a mapping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_sweep.analysis.compare import VerdictKind, compare, load_side
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.external_results import (
    ResultMapping,
    mapping_of,
    read_external_results,
    read_mapping,
)

PLAIN_HYDRA_APP = """
import json, pathlib, random, hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base=None, config_path=None, config_name="plain")
def app(cfg):
    noise = random.Random(f"{cfg.seed} {cfg.width}").gauss(0, 0.001)
    values = {"accuracy": 0.9 + cfg.gain + cfg.width / 1000 + noise, "scores": {"loss": [2, 1]}}
    place = pathlib.Path(HydraConfig.get().runtime.output_dir)
    (place / "results.json").write_text(json.dumps(values))

if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore
    ConfigStore.instance().store("plain", {"width": 1, "seed": 0, "gain": 0.0})
    app()
"""
MAPPING = ResultMapping(
    record="*/results.json", metrics={"test_acc": "accuracy", "loss": "scores.loss.-1"}
)


def write_job(directory: Path, values: object, config: str | None = None) -> Path:
    directory.mkdir(parents=True)
    (directory / "results.json").write_text(
        values if isinstance(values, str) else json.dumps(values)
    )
    if config is not None:
        (directory / ".hydra").mkdir()
        (directory / ".hydra" / "config.yaml").write_text(config)
    return directory


@pytest.fixture(scope="module")
def multiruns(tmp_path_factory):
    """Two multiruns of a ten-line Hydra app: the second gains ten points."""
    place = tmp_path_factory.mktemp("plain")
    app = place / "app.py"
    app.write_text(PLAIN_HYDRA_APP)
    for name, gain in (("before", 0.0), ("after", 0.1)):
        subprocess.run(
            [sys.executable, str(app), "-m", "width=1,2", "seed=0,1,2", f"gain={gain}",
             f"hydra.sweep.dir={place / name}", "hydra.sweep.subdir=${hydra.job.num}"],
            check=True, capture_output=True, cwd=place, timeout=120,
        )  # fmt: skip
    return place


def test_two_plain_multiruns_are_compared_by_their_repeats(multiruns):
    sides = [load_side(multiruns / name, mapping=MAPPING) for name in ("before", "after")]
    found = compare(sides)
    assert [one.name for one in found.differs["settings"]] == ["gain"]
    pair = found.pairs[0]
    assert [one.shared.name for one in pair.changes] == ["width=1", "width=2"]
    for one in pair.changes:
        accuracy = next(c for c in one.summaries if c.metric == "test_acc")
        assert accuracy.change == pytest.approx(0.1, abs=0.005)
        assert accuracy.significant
    assert pair.verdict.kind is VerdictKind.BETTER


def test_a_multirun_against_itself_does_not_differ(multiruns):
    side = load_side(multiruns / "before", mapping=MAPPING)
    pair = compare([side, side]).pairs[0]
    assert {c.change for one in pair.changes for c in one.summaries} == {0.0}
    assert pair.verdict.kind is VerdictKind.NOISE


def test_repeats_that_all_change_alike_are_a_change(tmp_path):
    for name, value in (("a", 0.5), ("b", 0.25)):
        for seed in range(3):
            write_job(tmp_path / name / str(seed), {"err": value}, config=f"seed: {seed}\nx: 1")
    mapping = mapping_of("*/results.json", ["err"])
    pair = compare([load_side(tmp_path / name, mapping=mapping) for name in "ab"]).pairs[0]
    assert pair.verdict.kind is VerdictKind.BETTER


def test_it_is_a_runs_table_with_the_usual_columns(multiruns):
    runs = read_external_results(multiruns / "before", MAPPING)
    assert set(runs["status"]) == {"finished"}
    assert runs["test.loss"].to_list() == [1.0] * 6
    assert runs["seed"].to_list() == [0, 1, 2] * 2
    assert runs["configuration_id"].nunique() == 2


def test_known_metrics_are_recognised_and_less_of_others_may_be_better():
    names = ("accuracy", "validation.f1", "loss", "my_error", "skill")
    metrics = ResultMapping(record="*", metrics={name: name for name in names}).resolved("test")
    assert [metric.column for metric in metrics.values()] == [
        "test.accuracy", "validation.f1", "test.loss", "test.my_error", "test.skill",
    ]  # fmt: skip
    assert [metric.higher_is_better for metric in metrics.values()] == [
        True, True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("{", "not valid JSON"),
        ("[1, 2]", "no accuracy"),
        ('{"accuracy": "high"}', "is str, not a number"),
        ('{"accuracy": true}', "is bool, not a number"),
        ('{"accuracy": NaN}', "is nan"),
        ('{"accuracy": 1e999}', "is inf"),
        ('{"accuracy": ' + "9" * 400 + "}", "too large a number"),
        ('{"accuracy": null}', "is NoneType"),
        ('{"accurcy": 1}', "there is accurcy"),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_reason(tmp_path, content, reason):
    write_job(tmp_path / "good", {"accuracy": 0.9})
    bad = write_job(tmp_path / "bad", "{}") / "results.json"
    bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    runs = read_external_results(tmp_path, mapping_of("*/results.json", ["acc=accuracy"]))
    (row,) = runs[runs["status"] == "unreadable"].to_dict("records")
    assert len(runs) == 2
    assert row["directory"] == str(bad.parent)
    assert reason in row["error.message"]


def test_a_lost_metric_leaves_the_others(tmp_path):
    write_job(tmp_path / "0", {"a": 1})
    side = load_side(tmp_path, mapping=mapping_of("*/results.json", ["a", "b"]))
    assert side.runs["test.a"].to_list() == [1.0]
    assert "no b" in side.without_result[0].reason


def test_a_damaged_hydra_config_is_named(tmp_path):
    write_job(tmp_path / "0", {"a": 1}, config="{: [")
    with pytest.raises(DirectoryError, match=r"config\.yaml: not YAML"):
        read_external_results(tmp_path, mapping_of("*/results.json", ["a"]))


def test_yaml_in_a_config_is_never_executed(tmp_path):
    write_job(tmp_path / "0", {"a": 1}, config="x: !!python/object/apply:os.system ['exit 1']")
    with pytest.raises(DirectoryError, match="not YAML"):
        read_external_results(tmp_path, mapping_of("*/results.json", ["a"]))


def test_runs_without_hydra_are_told_apart_by_their_directories(tmp_path):
    for name in ("wide", "deep"):
        write_job(tmp_path / name, {"a": 1})
    side = load_side(tmp_path, mapping=mapping_of("*/results.json", ["a"]))
    assert list(side.settings) == [{"run_directory": "deep"}, {"run_directory": "wide"}]


@pytest.mark.parametrize(
    ("record", "metrics"),
    [("*.json", []), ("/etc/*", ["a"]), ("../*", ["a"]), ("", ["a"]), ("*", ["=a"]),
     ("*", ["a="]), ("*", ["a", "a=b"])],
)  # fmt: skip
def test_a_malformed_mapping_is_refused(record, metrics):
    with pytest.raises(UsageError):
        mapping_of(record, metrics)


def test_a_mapping_file_says_the_same(tmp_path):
    file = tmp_path / "mapping.yaml"
    file.write_text("record: '*/r.json'\nmetrics: {acc: m.acc, err: m.err}\nseed: rng\n")
    assert read_mapping(file) == ResultMapping(
        record="*/r.json", metrics={"acc": "m.acc", "err": "m.err"}, seed="rng"
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "record: 3", "record: a", "record: a\nmetrics: 3", "record: a\nmetric: {}",
             "{", "record: a\nmetrics: {a: 3}", "record: a\nmetrics: {a: b}\nlower_is_better: a"],
)  # fmt: skip
def test_a_malformed_mapping_file_is_refused_by_name(tmp_path, text):
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"mapping\.yaml"):
        read_mapping(file)


def test_no_match_says_what_there_is(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DirectoryError, match=r"notes\.txt"):
        read_external_results(tmp_path, MAPPING)
    with pytest.raises(DirectoryError, match="no such directory"):
        read_external_results(tmp_path / "nothing", MAPPING)


@pytest.mark.parametrize(
    ("text", "said"),
    [("record: a\nrecord: b\nmetrics: [m]", "'record' is listed twice"), (None, "file")],
)
def test_a_mapping_with_a_key_twice_or_that_is_a_pipe_is_refused(tmp_path, text, said):
    path = tmp_path / "mapping.yaml"
    path.write_text(text) if text else os.mkfifo(path)
    with pytest.raises(UsageError, match=said):
        read_mapping(path)
