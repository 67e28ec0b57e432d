"""Ways to get a bad sweep past the gate: each fails, or is refused, by name."""

from __future__ import annotations

import json
import math
import os
import shutil

import pytest

from mnist_sweep.cli import main
from support.factories import make_run, write_sweep

SMALL = {"n_test": 200, "n_validation": 40}
NETWORKS = ((1, 16), (2, 16))
SEEDS = (0, 1, 2)


def networks(seeds=SEEDS, accuracy=0.95, **settings):
    return [
        make_run(layers=layers, nodes=nodes, seed=seed, accuracy=accuracy, **SMALL, **settings)
        for layers, nodes in NETWORKS
        for seed in seeds
    ]


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """A good sweep with its baseline, and one that became worse."""
    place = tmp_path_factory.mktemp("cheats")
    write_sweep(place / "good", networks())
    write_sweep(place / "worse", networks(accuracy=0.6, epochs=20))
    write_sweep(place / "other", networks(seeds=(3, 4, 5)))
    assert exit_code("baseline", place / "good", "-o", place / "baseline.json") == 0
    return place


@pytest.fixture
def sweep(templates, tmp_path):
    """A copy of the equal sweep of other seeds, to be tampered with."""
    return shutil.copytree(templates / "other", tmp_path / "other")


def exit_code(*words):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    return stopped.value.code


def checked(capsys, monkeypatch, directory, baseline, rules=None):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    capsys.readouterr()
    words = ["--rules", rules] if rules else []
    code = exit_code("check", directory, "--baseline", baseline, *words)
    shown = capsys.readouterr()
    return code, shown.out + shown.err


@pytest.fixture
def gate(capsys, monkeypatch, templates, tmp_path):
    """Check a directory by a baseline's and rules' text; returns the exit code and the words."""

    def run(directory, baseline=None, rules=None):
        path = templates / "baseline.json"
        if baseline is not None:
            path = tmp_path / "tampered.json"
            path.write_bytes(baseline if isinstance(baseline, bytes) else baseline.encode())
        file = None
        if rules is not None:
            file = tmp_path / "rules.yaml"
            file.write_text(rules)
        return checked(capsys, monkeypatch, directory, path, file)

    return run


def test_an_honest_sweep_passes_and_a_worse_one_fails(gate, sweep, templates):
    assert gate(sweep)[0] == 0
    code, words = gate(templates / "worse")
    assert code == 3
    assert "worse by more than" in words


# Plans.


def plan_of(directory):
    return json.loads((directory / "sweep.json").read_text())


def set_plan(directory, plan):
    (directory / "sweep.json").write_text(json.dumps(plan))


def a_run(directory, name="layers=2"):
    return next(iter(sorted((directory / "runs").glob(f"{name}*"))))


def drop_run(directory, *, of_plan):
    path = a_run(directory)
    shutil.rmtree(path)
    if of_plan:
        plan = plan_of(directory)
        points = plan["invocations"][0]["points"]
        kept = [point for point in points if not path.name.endswith(point["run_id"])]
        plan["invocations"][0]["points"] = kept
        set_plan(directory, plan)


def drop_network(directory):
    plan = plan_of(directory)
    points = plan["invocations"][0]["points"]
    plan["invocations"][0]["points"] = [p for p in points if "layers=1" in p["label"]]
    set_plan(directory, plan)
    for path in (directory / "runs").glob("layers=2*"):
        shutil.rmtree(path)


def forget_point(directory):
    plan = plan_of(directory)
    plan["invocations"][0]["points"].pop()
    set_plan(directory, plan)


PLANS = {
    "no plan": (lambda d: (d / "sweep.json").unlink(), "no plan of this sweep"),
    "no command": (lambda d: set_plan(d, {**plan_of(d), "invocations": []}), "no plan"),
    "an empty command": (lambda d: set_plan(d, {**plan_of(d), "invocations": [{}]}), "no plan"),
    "no commands": (lambda d: set_plan(d, {"schema_version": 1}), "sweep.json"),
    "an empty file": (lambda d: (d / "sweep.json").write_text(""), "sweep.json"),
    "null": (lambda d: (d / "sweep.json").write_text("null"), "sweep.json"),
    "a list": (lambda d: (d / "sweep.json").write_text("[]"), "sweep.json"),
    "half a plan": (
        lambda d: (d / "sweep.json").write_text((d / "sweep.json").read_text()[:99]),
        "sweep.json",
    ),
    "a plan renamed": (lambda d: (d / "sweep.json").rename(d / "sweep.json.old"), "no plan"),
    "a directory as plan": (
        lambda d: ((d / "sweep.json").unlink(), (d / "sweep.json").mkdir()),
        "sweep.json",
    ),
    "a pipe as plan": (
        lambda d: ((d / "sweep.json").unlink(), os.mkfifo(d / "sweep.json")),
        "sweep.json",
    ),
    "a newer plan": (lambda d: set_plan(d, {**plan_of(d), "schema_version": 9}), "sweep.json"),
    "a run left out of the plan": (forget_point, "does not list"),
    "a run removed": (lambda d: drop_run(d, of_plan=False), "has no record"),
    "a run removed, plan too": (lambda d: drop_run(d, of_plan=True), "2 of the baseline's 3 runs"),
    "a network removed": (drop_network, "no finished run of this configuration"),
    "all runs removed": (lambda d: shutil.rmtree(d / "runs"), "no finished run"),
    "runs removed but one": (
        lambda d: [shutil.rmtree(p) for p in sorted((d / "runs").iterdir())[1:]],
        "has no record",
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_part_of_the_evidence(gate, sweep, name):
    tamper, word = PLANS[name]
    tamper(sweep)
    code, words = gate(sweep)
    assert code == 3, words
    assert word in words


@pytest.mark.parametrize("name", [name for name in PLANS if name != "a run left out of the plan"])
def test_no_rule_replaces_the_plan_and_the_runs(gate, sweep, name):
    """`all_finished: false` lets planned runs be missing, not those of the baseline."""
    PLANS[name][0](sweep)
    assert gate(sweep, rules="all_finished: false")[0] == 3


# Runs.


def damage(edit):
    def apply(directory):
        record = a_run(directory) / "record.json"
        record.write_text(edit(record.read_text()))

    return apply


def change(**values):
    def edit(text):
        record = json.loads(text)
        for key, value in values.items():
            *places, last = key.split("__")
            inner = record
            for place in places:
                inner = inner[place]
            inner[last] = value
        return json.dumps(record)

    return damage(edit)


RECORDS = {
    "half a record": (damage(lambda text: text[:-40]), "record.json"),
    "an empty record": (damage(lambda _: ""), "record.json"),
    "a list": (damage(lambda _: "[]"), "record.json"),
    "no status": (change(status=None), "record.json"),
    "a NaN": (change(metrics__test__accuracy=math.nan), "record.json"),
    "no record": (lambda d: (a_run(d) / "record.json").unlink(), "has no record"),
    "no directory": (lambda d: shutil.rmtree(a_run(d)), "has no record"),
    "a record of another run": (
        lambda d: shutil.copy(a_run(d, "layers=1") / "record.json", a_run(d) / "record.json"),
        "record.json",
    ),
    "a run twice": (
        lambda d: shutil.copytree(a_run(d), d / "runs" / f"copy-{a_run(d).name[-12:]}"),
        "the same run",
    ),
    "a link to nowhere": (
        lambda d: (shutil.rmtree(a_run(d)), a_run(d, "layers=1").with_name("x").symlink_to("no")),
        "FAIL",
    ),
    "a pipe as record": (
        lambda d: (
            (a_run(d) / "record.json").unlink(),
            os.mkfifo(a_run(d) / "record.json"),
        ),
        "record.json",
    ),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_run_that_cannot_be_read_fails(gate, sweep, name):
    tamper, word = RECORDS[name]
    tamper(sweep)
    code, words = gate(sweep)
    assert code == 3, words
    assert word in words


def first_two(accuracy):
    return [*networks(seeds=(3, 4, 5))[:3], *networks(seeds=(3, 4, 5), accuracy=accuracy)[3:]]


def smaller():
    layers_2 = [make_run(layers=2, nodes=8, seed=seed, **SMALL) for seed in SEEDS]
    return [*networks(seeds=(3, 4, 5))[:3], *layers_2]


SWEEPS = {
    "a run failed": (
        lambda: [*networks(seeds=(3, 4, 5)), make_run(status="failed")], "failed",
    ),
    "a run diverged": (
        lambda: [*networks(seeds=(3, 4, 5)), make_run(status="diverged")], "diverged",
    ),
    "one seed": (lambda: networks(seeds=(7,)), "1 of the baseline's 3 runs"),
    "two seeds": (lambda: networks(seeds=(7, 8)), "2 of the baseline's 3 runs"),
    "one network alone": (
        lambda: networks(seeds=(3, 4, 5))[:3], "no finished run of this configuration",
    ),
    "other epochs": (lambda: networks(epochs=3), "epochs: 20 -> 3 in 2 configurations"),
    "another optimizer": (lambda: networks(optimizer="sgd"), "optimizer: adam -> sgd"),
    "another batch size": (lambda: networks(batch_size=8), "batch_size: 32 -> 8"),
    "two settings": (
        lambda: networks(epochs=3, dropout=0.5),
        "dropout: 0 -> 0.5, epochs: 20 -> 3 in 2 configurations",
    ),
    "one network smaller": (smaller, "nodes: 16 -> 8 in 1 configuration."),
    "other images": (lambda: networks(bundled=True), "Another dataset"),
    "fewer images": (
        lambda: [make_run(layers=2, seed=s, n_test=100, n_validation=40) for s in SEEDS],
        "Another dataset",
    ),
    "all wrong": (lambda: networks(seeds=(3, 4, 5), accuracy=0.0), "worse by more"),
    "one network worse": (lambda: first_two(0.7), "worse by more"),
}  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_another_sweep_fails(gate, tmp_path, name):
    make, word = SWEEPS[name]
    code, words = gate(write_sweep(tmp_path / "now", make()))
    assert code == 3, words
    assert word in words


# Baselines.


def edited(text, edit):
    values = json.loads(text)
    edit(values, values["configurations"][0]["runs"][0])
    return json.dumps(values)


def values_of(name, value):
    return lambda _, run: run["values"].update({name: value})


def confusion_of(change):
    return lambda _, run: run["confusion"].update({"test": change(run["confusion"]["test"])})


def every(name, value):
    return lambda file, _: [
        run["values"].update({name: value}) for one in file["configurations"] for run in one["runs"]
    ]


BASELINES = {
    "a lower accuracy": (values_of("test.accuracy", 0.5), "its confusion matrix gives"),
    "an accuracy of -5": (values_of("test.accuracy", -5.0), "its confusion matrix gives"),
    "an accuracy of 7": (values_of("test.accuracy", 7.0), "its confusion matrix gives"),
    "repeats a million apart": (values_of("test.accuracy", 1e6), "its confusion matrix gives"),
    "a lower f1": (values_of("test.f1", 0.1), "its confusion matrix gives"),
    "a lower lowest f1": (values_of("test.f1_min", 0.1), "its confusion matrix gives"),
    "a lower recall": (values_of("test.recall", 0.1), "its confusion matrix gives"),
    "text for a number": (values_of("test.accuracy", "0.9"), "test.accuracy"),
    "true for a number": (values_of("test.accuracy", True), "test.accuracy"),
    "no confusion": (lambda _, run: run["confusion"].pop("test"), "no confusion matrix"),
    "no confusions": (lambda _, run: run.pop("confusion"), "no confusion matrix"),
    "an empty confusion": (confusion_of(lambda _: []), "no confusion matrix"),
    "half a confusion": (confusion_of(lambda m: m[:5]), "not square"),
    "a confusion of zeros": (
        confusion_of(lambda m: [[0] * len(m) for _ in m]), "confusion matrix",
    ),
    "a confusion of 4 images": (confusion_of(lambda _: [[2, 1], [1, 0]]), "confusion matrix"),
    "negative counts": (confusion_of(lambda m: [[-c for c in row] for row in m]), "confusion"),
    "another confusion": (confusion_of(lambda m: m[::-1]), "its confusion matrix gives"),
    "images left out": (
        lambda file, _: file["dataset"].update(n_test=5), "counts 200 test images, the dataset",
    ),
    "a run twice": (
        lambda file, run: file["configurations"][0]["runs"].append(run), "is listed twice",
    ),
    "a seed twice": (
        lambda file, run: file["configurations"][0]["runs"].append({**run, "run_id": "x"}),
        "seed of layers=1,nodes=16 0 is listed twice",
    ),
    "a configuration twice": (
        lambda file, _: file["configurations"].append(file["configurations"][0]), "listed twice",
    ),
    "no runs": (lambda file, _: file["configurations"][0].update(runs=[]), "runs"),
    "no configurations": (lambda file, _: file.update(configurations=[]), "configurations"),
    "another kind": (lambda file, _: file.update(kind="x"), "kind"),
    "no kind": (lambda file, _: file.pop("kind"), "kind"),
    "a newer version": (lambda file, _: file.update(schema_version=2), "newer"),
    "a version in words": (lambda file, _: file.update(schema_version="1"), "schema_version"),
    "an unknown key": (lambda file, _: file.update(tolerance=1), "tolerance"),
    "an unknown key of a run": (lambda _, run: run.update(tolerance=1), "tolerance"),
    "no data": (lambda file, _: file.pop("dataset"), "dataset"),
    "other data": (lambda file, _: file["dataset"].update(sha256="e" * 64), "Another dataset"),
    "no hash": (lambda file, _: file["dataset"].pop("sha256"), "Another dataset"),
    "another split": (lambda file, _: file["dataset"].update(split="{}"), "Another dataset"),
    "a split of text": (lambda file, _: file["dataset"].update(split="[]"), "split"),
    "no accuracy": (values_of("test.accuracy", None), "not finite in some runs of the base"),
    "no accuracies": (every("test.accuracy", None), "not finite in some runs of the base"),
    "training took longer than all": (values_of("time.train_s", 1e6), "trained for"),
}  # fmt: skip


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_that_contradicts_itself_is_refused(gate, sweep, templates, name):
    edit, word = BASELINES[name]
    text = edited((templates / "baseline.json").read_text(), edit)
    code, words = gate(sweep, text)
    assert code == 3, words
    assert word in words


TEXTS = {
    "nothing": lambda _: "",
    "white space": lambda _: " \n",
    "half": lambda text: text[: len(text) // 2],
    "no JSON": lambda _: "accuracy: 0.1",
    "a list": lambda _: "[]",
    "null": lambda _: "null",
    "a NaN": lambda text: text.replace('"seed":0', '"seed":NaN', 1),
    "infinity": lambda text: text.replace('"seed":0', '"seed":-Infinity', 1),
    "a key twice": lambda text: text.replace('"seed":0', '"seed":0,"seed":1', 1),
    "the dataset twice": lambda text: text.replace('"dataset":', '"dataset": {}, "dataset":', 1),
    "nested deeply": lambda _: "[" * 100_000,
    "no UTF-8": lambda text: text.encode("utf-16"),
    "a long number": lambda text: text.replace('"seed":0', f'"seed":{"9" * 5000}', 1),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_damaged_baseline_is_refused(gate, sweep, templates, name):
    code, words = gate(sweep, TEXTS[name]((templates / "baseline.json").read_text()))
    assert code == 3
    assert "Expected a baseline at" in words
    assert "Traceback" not in words


def test_a_baseline_that_is_no_other_sweep_is_refused_or_noted(
    capsys, monkeypatch, sweep, templates, tmp_path
):
    def words_of(directory, baseline):
        return checked(capsys, monkeypatch, directory, baseline)

    link = tmp_path / "link"
    link.symlink_to(sweep)
    for same in (sweep, link, sweep / ".." / sweep.name, f"{sweep}/"):
        code, words = words_of(sweep, same)
        assert code == 3
        assert "the sweep's own directory" in words
    code, words = words_of(shutil.copytree(sweep, tmp_path / "copy"), sweep)
    assert "6 runs of the sweep are the baseline's own" in words
    linked = write_sweep(tmp_path / "linked", networks(seeds=(3, 4, 5)))
    for path in (linked / "runs").iterdir():
        shutil.rmtree(path)
        path.symlink_to(sweep / "runs" / path.name)
    code, words = words_of(linked, sweep)
    assert "6 runs of the sweep are the baseline's own" in words
    for odd in (tmp_path / "none.json", tmp_path):
        assert words_of(sweep, odd)[0] == 3
    os.mkfifo(tmp_path / "pipe.json")
    assert words_of(sweep, tmp_path / "pipe.json")[0] == 3


def test_a_baseline_of_loss_whose_seeds_differ_wildly_judges_nothing(gate, sweep, templates):
    text = edited((templates / "baseline.json").read_text(), values_of("test.loss", 1e6))
    code, words = gate(sweep, text, "baseline: [test.loss]")
    assert "do not show how much test.loss varies between seeds" in words
    text = edited((templates / "baseline.json").read_text(), values_of("test.loss", 0.0))
    code, words = gate(sweep, text, "baseline: [{metric: test.loss, tolerance: 50}]")
    assert code == 3
    assert "any value would pass" in words


# Rules.

RULES = {
    "no rule": ("baseline: []\nall_finished: false", "no rule judges a result"),
    "baseline null": ("baseline:", "no rule judges a result"),
    "all empty": ("baseline: []\nfloors: []\nratios: {}", "no rule judges a result"),
    "level of practically 1": ("level: 0.9999999999999999", "at most 0.9999"),
    "level 1": ("level: 1", "level"),
    "level 0": ("level: 0", "at least 0.5"),
    "level in words": ("level: high", "expected a number, got 'high'"),
    "tolerance 1e9": ("baseline: [{metric: test.accuracy, tolerance: 1e9}]", "allows any value"),
    "tolerance 1.0e+9": ("baseline: [{metric: test.f1, tolerance: 1.0e+9}]", "allows any value"),
    "tolerance 1": ("baseline: [{metric: test.accuracy, tolerance: 1}]", "allows any value"),
    "tolerance -1": ("baseline: [{metric: test.f1, tolerance: -1}]", "expected at least 0"),
    "infinite tolerance": ("baseline: [{metric: test.f1, tolerance: .inf}]", "finite"),
    "tolerance nan": ("baseline: [{metric: test.f1, tolerance: .nan}]", "finite"),
    "loss of 1000": ("baseline: [{metric: test.loss, tolerance: 1000}]", "allows any value"),
    "a metric twice": (
        "baseline: [test.f1, {metric: test.f1, tolerance: 0.9}]", "test.f1 is listed twice",
    ),
    "a key twice": ("level: 0.95\nlevel: 0.5", "'level' is listed twice"),
    "baseline twice": ("baseline: [test.f1]\nbaseline: []", "'baseline' is listed twice"),
    "a key of a rule twice": (
        "baseline: [{metric: test.f1, tolerance: 0, tolerance: 0.9}]", "is listed twice",
    ),
    "floor 0": ("floors: [test.accuracy >= 0]", "this holds for any value"),
    "floor -5": ("floors: [test.accuracy >= -5]", "this holds for any value"),
    "at most 1": ("floors: [test.accuracy <= 1]", "this holds for any value"),
    "loss at most 1e9": ("floors: [test.loss <= 1e9]", "this holds for any value"),
    "loss at least 0": ("floors: [test.loss >= 0]", "this holds for any value"),
    "floor nan": ("floors: [test.accuracy >= nan]", "not a number"),
    "ratio 1e9": ("ratios: {time.train_s: 1.0e+9}", "at most 100"),
    "ratio 0": ("ratios: {time.train_s: 0}", "above 0"),
    "an unknown key": ("tolerence: 0.1", "no such key (known: level, all_finished, floors"),
    "an unknown key of a rule": (
        "baseline: [{metric: test.f1, tolerence: 1}]", "no such key (known: metric, tolerance)",
    ),
    "an unknown metric": ("floors: [test.acuracy >= 0.9]", "did you mean"),
    "a list": ("- test.accuracy", "expected a mapping"),
    "all_finished in words": ("all_finished: perhaps", "expected true or false, got 'perhaps'"),
    "all_finished a number": ("all_finished: 1", "expected true or false"),
    "no YAML": ("baseline: [", "YAML"),
    "code": ("baseline: !!python/object/apply:os.system ['true']", "YAML"),
    "a billion laughs": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\nbaseline: [test.f1]", "no such key",
    ),
    "ten billion laughs": (
        "level: &a0 [x]\n" + "".join(
            f"a{k + 1}: &a{k + 1} [{', '.join([f'*a{k}'] * 10)}]\n" for k in range(10)
        ), "too large once its aliases are followed",
    ),
    "a list within itself": ("baseline: &a [*a]", "too large once its aliases are followed"),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rules_that_judge_nothing_are_refused(gate, templates, name):
    rules, word = RULES[name]
    code, words = gate(templates / "worse", rules=rules)
    assert code == 2, words
    assert word in words
    assert "rules.yaml" in words


NOTED = {
    "a floor for no run": ("floors: [{rule: test.f1 >= 0.9, where: layers=9}]", 3, "No finished"),
    "tolerance 0.99": (
        "baseline: [{metric: test.accuracy, tolerance: 0.99}]", 3, "any value would pass",
    ),
    "times alone": ("baseline: []\nratios: {time.train_s: 100}", 0, "No rule is about a metric"),
    "a class that there is not": ("baseline: [test.f1.99]", 3, "missing or not finite"),
    "level 0.9999": ("level: 0.9999", 3, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", NOTED)
def test_rules_that_judge_little_fail_or_are_noted(gate, templates, name):
    rules, expected, word = NOTED[name]
    code, words = gate(templates / "worse", rules=rules)
    assert code == expected, words
    assert word in words


def test_there_are_a_hundred_ways():
    kinds = (PLANS, PLANS, RECORDS, SWEEPS, BASELINES, TEXTS, RULES, NOTED)
    assert sum(map(len, kinds)) >= 100
