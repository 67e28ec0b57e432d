"""The gate's result in words, and as text, Markdown for a job's summary, JSON, and JUnit for CI."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mnist_sweep.analysis.gate import (
    SHOWN_METRIC,
    BaselinePair,
    Check,
    CheckKind,
    GateResult,
    Problem,
    mean_of,
)
from mnist_sweep.analysis.gate.noise import POWER
from mnist_sweep.command import command
from mnist_sweep.errors import harmless, listed
from mnist_sweep.reporting.escape import markdown, visible
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases.values import counted
from mnist_sweep.reporting.tables.render.md import grid
from mnist_sweep.safe_files import json_text, plain

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
# Characters that XML 1.0 cannot hold, not even escaped (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_CONFIGURATIONS = 4
_REPEATS = (
    "Repeat its configurations with other seeds (seed=0,1,2), or give the metric a tolerance in "
    "--rules."
)
_TITLES = {
    CheckKind.BASELINE: "a baseline",
    CheckKind.RECORDS: "records",
    CheckKind.PLAN: "a plan",
    CheckKind.FINISHED: "all points finished",
    CheckKind.DATA: "same data as the baseline",
    CheckKind.CONFIGURATIONS: "every configuration of the baseline",
    CheckKind.BOUND: "{rule}",
    CheckKind.RELATIVE: "{metric} against the baseline",
    CheckKind.RATIO: "{metric} at most x {limit:g}",
}
_BOUND = "{metric} is {value:.4f}{mean}; the bound is {limit:g}."
_MOVED = "{metric} went from {baseline:.4f} to {value:.4f} ({change:+.4f})"
_RATIO = "{metric} went from {baseline:.3g} to {value:.3g}, x {ratio:.2f}; at most x {limit:g}."
SENTENCES = {
    (CheckKind.BASELINE, Problem.UNREADABLE): "{detail}",
    (CheckKind.BASELINE, Problem.SAME_DIRECTORY): (
        "The baseline is the sweep's own directory, so there is nothing to compare. Give another "
        "sweep, or a file written by the command `baseline` for an earlier sweep."
    ),
    (CheckKind.RECORDS, None): "Every record can be read.",
    (CheckKind.RECORDS, Problem.UNREADABLE): "{detail}",
    (CheckKind.RECORDS, Problem.NO_RUN): "There is no finished run to check.",
    (CheckKind.PLAN, None): "The plan lists every run.",
    (CheckKind.PLAN, Problem.MISSING): (
        "There is no plan of this sweep: sweep.json is missing or lists no run, so the planned "
        "runs are unknown. Repeat the sweep's command; finished runs are kept."
    ),
    (CheckKind.PLAN, Problem.UNPLANNED): (
        "The plan (sweep.json) does not list {this_run}. Delete runs that do not belong to the "
        "sweep, or repeat their command in this directory."
    ),
    (CheckKind.FINISHED, None): "{runs} finished.",
    (CheckKind.FINISHED, Problem.MISSING): "The planned run has no record: {detail}.",
    (CheckKind.FINISHED, Problem.MORE_MISSING): (
        "Planned runs without a record that are not listed here: {count:,}. The table command "
        "lists all with --all."
    ),
    (CheckKind.FINISHED, Problem.NOT_FINISHED): "The run {ended}: {detail}.",
    (CheckKind.DATA, None): "{data}.",
    (CheckKind.DATA, Problem.VIOLATED): (
        "Another dataset: its {metric} is {short_value}, the baseline's is {short_baseline}. "
        "Make a baseline from these data."
    ),
    (CheckKind.CONFIGURATIONS, None): "{configurations}, none missing.",
    (CheckKind.CONFIGURATIONS, Problem.MISSING): (
        "The sweep has no finished run of this configuration."
    ),
    (CheckKind.CONFIGURATIONS, Problem.FEWER_RUNS): (
        "The sweep has {value} of the baseline's {baseline} runs. Run the others (seed=0,1,2)."
    ),
    (CheckKind.CONFIGURATIONS, Problem.CHANGED_SETTING): (
        "{changes} in {configurations}. {metric}: {values}."
    ),
    (CheckKind.BOUND, None): _BOUND,
    (CheckKind.BOUND, Problem.VIOLATED): _BOUND,
    (CheckKind.BOUND, Problem.NO_RUN): "No finished run for which the rule applies.",
    (CheckKind.BOUND, Problem.NO_VALUE): "{metric} is missing or not finite in some runs.",
    (CheckKind.RELATIVE, None): f"{_MOVED}, {{within}}.",
    (CheckKind.RELATIVE, Problem.VIOLATED): f"{_MOVED}, worse by more than {{allowed}}.",
    (CheckKind.RELATIVE, Problem.NOISE_UNKNOWN): (
        f"Cannot be judged: {_MOVED}, and the baseline's runs do not show how much results vary "
        f"between seeds. {_REPEATS}"
    ),
    (CheckKind.RELATIVE, Problem.ALLOWS_ANY): (
        "Cannot be judged: {metric} is {baseline:.4f} in the baseline, so any value would pass "
        "with a tolerance of {tolerance:g}."
    ),
    (CheckKind.RELATIVE, Problem.NO_VALUE): (
        "Cannot be judged: {metric} is missing or not finite in some runs of the "
        "sweep{experiments}."
    ),
    (CheckKind.RELATIVE, Problem.NO_BASELINE_VALUE): (
        "Cannot be judged: {metric} is missing or not finite in some runs of the "
        "baseline{experiments}."
    ),
    (CheckKind.RATIO, None): _RATIO,
    (CheckKind.RATIO, Problem.VIOLATED): _RATIO,
    (CheckKind.RATIO, Problem.NO_VALUE): "{metric} is unknown for some runs of the sweep.",
    (CheckKind.RATIO, Problem.NO_BASELINE_VALUE): (
        "{metric} is unknown for some runs of the baseline, or is 0."
    ),
}
# What may be intended, and then calls for another baseline.
_INTENDED = (Problem.CHANGED_SETTING, Problem.VIOLATED, Problem.MISSING)


def title(check: Check) -> str:
    """What is checked: 'test.accuracy against the baseline', 'test.f1 >= 0.9 where layers=2'."""
    return _TITLES[check.kind].format_map(vars(check))


def sentence(check: Check) -> str:
    """What was found, and against which limit."""
    return SENTENCES[check.kind, check.problem].format_map({**vars(check), **_phrases(check)})


def headline(result: GateResult) -> str:
    """Pass or fail, how many checks held, and the smallest change that would be noticed."""
    count, failed = len(result.checks), len(result.failures)
    words = f"FAILED: {failed} of {count} {'check' if count == 1 else 'checks'}."
    if result.passed:
        words = f"PASSED: all {count} checks hold."
    drops: dict[str, list[float]] = {}
    for check in result.checks:
        if check.noticeable is not None:
            drops.setdefault(check.metric, []).append(check.noticeable)
    found = [
        f"{metric} {min(own):.4f}" + (f" to {max(own):.4f}" if max(own) - min(own) >= 5e-5 else "")
        for metric, own in drops.items()
    ]
    return f"{words} Detectable drop ({POWER:.0%} power): {'; '.join(found)}." if found else words


def notes(result: GateResult) -> list[str]:
    """What does not decide, but should be known."""
    kinds = {check.kind for check in result.checks}
    may_change = (CheckKind.CONFIGURATIONS, CheckKind.RELATIVE)
    # A sweep's directory is no file to update: then the command names a new one.
    target = result.baseline if result.baseline.endswith(".json") else "FILE"
    update = map(shlex.quote, (result.directory or "DIR", "--update", "-o", target))
    machine = ", ".join(
        f"{name.removeprefix('environment.')} {setting(old)} in the baseline, {setting(new)} now"
        for name, old, new in result.other_machine
    )
    found = {
        f"If this change is intended, update the baseline: {command('baseline', *update)}": any(
            one.problem in _INTENDED and one.kind in may_change for one in result.checks
        ),
        f"{counted(result.n_copied, 'run')} of the sweep are the baseline's own, with the same "
        "times, so they are compared with themselves.": result.n_copied,
        f"Configurations not in the baseline, checked against floors only: {result.n_new}.": (
            result.n_new
        ),
        f"{counted(result.n_unfinished, 'run')} without a result; it is not required that all "
        "finish.": result.n_unfinished,
        "No rule is about a metric, so networks of any quality pass.": (
            result.passed and not kinds & {CheckKind.BOUND, CheckKind.RELATIVE}
        ),
        f"Times were measured under different conditions: {machine}.": machine,
        f"The baseline's runs do not show how much {', '.join(result.without_noise)} varies "
        f"between seeds, so any drop beyond the tolerance fails. {_REPEATS}": result.without_noise,
    }
    return [text for text, holds in found.items() if holds]


def changes_text(changed: Iterable[tuple[str, Any, Any]]) -> str:
    """'epochs: 20 -> 5, optimizer: adam -> sgd'."""
    return ", ".join(f"{name}: {setting(old)} -> {setting(new)}" for name, old, new in changed)


def moved(before: float | None, after: float | None) -> str:
    """'0.9750 -> 0.9610 (-0.0140)'."""
    texts = [f"{one:.4f}" if one is not None else "unknown" for one in (before, after)]
    change = "" if before is None or after is None else f" ({after - before:+.4f})"
    return f"{' -> '.join(texts)}{change}"


def _phrases(check: Check) -> dict[str, Any]:
    """Parts of sentences that are more than one field."""
    # Of other checks these are texts, such as a hash, or counts.
    numbers = isinstance(check.value, float) and isinstance(check.baseline, float)
    tolerance = f"the tolerance of {check.tolerance:g}"
    allowed = tolerance
    if check.noticeable is not None:
        allowed = f"the {check.limit:.4f} that variation between seeds explains"
        allowed += f" (including {tolerance})" if check.tolerance else ""
    shown = [f"{label} {moved(old, new)}" for label, old, new in check.values]  # noqa: PD011
    return {
        "metric": check.metric.partition(".")[2] if check.kind is CheckKind.DATA else check.metric,
        "mean": f", the mean of {check.count} runs" if check.count > 1 else "",
        "runs": "The run" if check.count == 1 else f"All {check.count} runs",
        "this_run": f"{check.count} runs of this directory" if check.count > 1 else "this run",
        "ended": "was pruned" if check.value == "pruned" else check.value,
        "change": check.value - check.baseline if numbers else None,
        "ratio": check.value / check.baseline if numbers and check.baseline else None,
        "data": (
            "The runs name no dataset"  # of a task of the user's own
            if check.value is None
            else f"The data are {check.detail}, sha256 {setting(check.value)[:12]}"
        ),
        "short_value": setting(check.value)[:12],
        "short_baseline": setting(check.baseline)[:12],
        "allowed": allowed,
        "within": "not worse" if check.limit is None else f"within {allowed}",
        "changes": changes_text(check.changed),
        "configurations": counted(check.count, "configuration"),
        "experiments": f", of experiment {check.detail}" if check.detail else "",
        "values": listed(shown, MAX_CONFIGURATIONS),
    }


def text(result: GateResult) -> str:
    """Failures first, each with its reason, then what held."""
    lines = [headline(result)]
    for check in _ordered(result):
        place = f" ({check.configuration})" if check.configuration else ""
        line = visible(f"{title(check)}{place}: {sentence(check)}")
        lines.append(f"  {'ok  ' if check.passed else 'FAIL'}  {line}")
    lines += [f"Note: {visible(note)}" for note in notes(result)]
    return "\n".join(lines) + "\n"


def summary(result: GateResult) -> str:
    """Markdown for the summary of a CI job."""
    sign = "✅" if result.passed else "❌"
    blocks = [f"### {sign} mnist-sweep check", markdown(headline(result))]
    rows = []
    for one in _ordered(result):
        texts = (title(one), one.configuration, sentence(one))
        rows.append(("✅" if one.passed else "❌", *map(markdown, texts)))
    blocks.append(grid(("", "check", "configuration", "found"), rows, [False] * 4))
    blocks += [f"> {markdown(note)}" for note in notes(result)]
    return "\n\n".join(blocks) + "\n"


def as_json(result: GateResult) -> str:
    """Strict JSON with every check, its fields and its sentence."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "passed": result.passed,
        "headline": headline(result),
        "findings": [
            {**asdict(one), "rule": title(one), "passed": one.passed, "sentence": sentence(one)}
            for one in result.checks
        ],
        "notes": notes(result),
    }
    return json_text(plain(value)) + "\n"


def junit(result: GateResult) -> str:
    """One test suite; every check is a test case."""
    counts = {"tests": str(len(result.checks)), "failures": str(len(result.failures))}
    about = {"name": "mnist-sweep check", **counts, "errors": "0", "skipped": "0"}
    root = Element("testsuites", about)
    suite = SubElement(root, "testsuite", about)
    for check in result.checks:
        found = _xml(sentence(check))
        place = f" [{check.configuration}]" if check.configuration else ""
        # CI services group cases by classname and want a time.
        name = {"classname": "mnist_sweep.check", "name": _xml(title(check) + place), "time": "0"}
        case = SubElement(suite, "testcase", name)
        if check.passed:
            SubElement(case, "system-out").text = found
        else:
            SubElement(case, "failure", message=found, type="check").text = found
    SubElement(suite, "system-out").text = _xml("\n".join(notes(result)))
    indent(root, "")  # a case on each line, for whoever reads the file
    return f"{tostring(root, 'utf-8', xml_declaration=True).decode()}\n"


def baseline_changes(pairs: Sequence[BaselinePair], runs: pd.DataFrame) -> str:
    """What another baseline, of `runs`, changes: a line for each configuration."""
    lines = []
    taken: set[str] = set()
    for pair in pairs:
        taken |= set() if pair.sweep is None else set(pair.sweep["configuration_id"])
        means = [mean_of(own, SHOWN_METRIC) for own in (pair.baseline, pair.sweep)]
        # A configuration whose settings changed is one, not one removed and one added.
        n_runs = (len(pair.baseline), 0 if pair.sweep is None else len(pair.sweep))
        words = [f"{SHOWN_METRIC} {moved(*means)}" if pair.sweep is not None else "removed"]
        if n_runs[0] != n_runs[1]:
            words.append(f"runs {n_runs[0]} -> {n_runs[1]}")
        if pair.changed:
            words.insert(0, changes_text(pair.changed))
        lines.append(f"  {pair.label}: {', '.join(words)}")
    new = runs[~runs["configuration_id"].isin([*taken])]
    for label, own in new.groupby("label", sort=False):
        lines.append(f"  {label}: added, {SHOWN_METRIC} {moved(None, mean_of(own, SHOWN_METRIC))}")
    return "\n".join(["Changes of the baseline:", *map(visible, lines)])


# Format -> what writes it, ending with a line break.
FORMATS = {"text": text, "json": as_json, "junit": junit}


def _ordered(result: GateResult) -> list[Check]:
    return sorted(result.checks, key=lambda check: check.passed)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", harmless(text))
