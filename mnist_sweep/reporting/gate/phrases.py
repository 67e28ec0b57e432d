"""The words of the gate: what each check is called, and a sentence for what it found."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from mnist_sweep.analysis.gate import Check, CheckKind, GateResult, Problem
from mnist_sweep.analysis.gate.noise import POWER
from mnist_sweep.command import command
from mnist_sweep.errors import listed
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases.values import counted

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
    found = []
    if any(
        check.problem in _INTENDED and check.kind in (CheckKind.CONFIGURATIONS, CheckKind.RELATIVE)
        for check in result.checks
    ):
        # A sweep's directory is no file to update: then the command names a new one.
        is_file = result.baseline.endswith(".json")
        target = result.baseline if is_file else "FILE"
        update = (result.directory or "DIR", "--update", "-o", target)
        found.append(
            "If this change is intended, update the baseline: "
            f"{command('baseline', *map(shlex.quote, update))}"
        )
    if result.n_copied:
        found.append(
            f"{counted(result.n_copied, 'run')} of the sweep are the baseline's own, with the same "
            "times, so they are compared with themselves."
        )
    if result.n_new:
        found.append(
            f"Configurations not in the baseline, checked against floors only: {result.n_new}."
        )
    if result.n_unfinished:
        found.append(
            f"{counted(result.n_unfinished, 'run')} without a result; it is not required "
            "that all finish."
        )
    if result.passed and not any(
        check.kind in (CheckKind.BOUND, CheckKind.RELATIVE) for check in result.checks
    ):
        found.append("No rule is about a metric, so networks of any quality pass.")
    if result.other_machine:
        words = ", ".join(
            f"{name.removeprefix('environment.')} {setting(before)} in the baseline, "
            f"{setting(after)} now"
            for name, before, after in result.other_machine
        )
        found.append(f"Times were measured under different conditions: {words}.")
    if result.without_noise:
        metrics = ", ".join(result.without_noise)
        found.append(
            f"The baseline's runs do not show how much {metrics} varies between seeds, so any drop "
            f"beyond the tolerance fails. {_REPEATS}"
        )
    return found


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
    shown = [f"{label} {moved(old, new)}" for label, old, new in check.values]
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
