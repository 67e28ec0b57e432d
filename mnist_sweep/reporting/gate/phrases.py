"""The words of the gate: what each check is called, and a sentence for what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.gate import CheckKind, Problem
from mnist_sweep.analysis.gate.noise import POWER
from mnist_sweep.reporting.numbers import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_sweep.analysis.gate import Check, GateResult

UPDATE = "If that is intended, update the baseline: mnist-sweep baseline DIR -o FILE"
_TITLES = {
    CheckKind.BASELINE: "a baseline",
    CheckKind.RECORDS: "records",
    CheckKind.FINISHED: "all points finished",
    CheckKind.DATA: "same data as the baseline",
    CheckKind.CONFIGURATIONS: "every configuration of the baseline",
}


def title(check: Check) -> str:
    """What is checked: 'test.accuracy against the baseline', 'test.f1 >= 0.9 where layers=2'."""
    if check.kind is CheckKind.BOUND:
        return check.rule
    if check.kind is CheckKind.RELATIVE:
        return f"{check.metric} against the baseline"
    if check.kind is CheckKind.RATIO:
        return f"{check.metric} at most x {check.limit:g}"
    return _TITLES[check.kind]


def sentence(check: Check) -> str:
    """What was found, and against which limit."""
    return _SENTENCES[check.kind](check)


def headline(result: GateResult) -> str:
    """Pass or fail, how many checks held, and the smallest change that would be noticed."""
    count, failed = len(result.checks), len(result.failures)
    if result.passed:
        words = f"PASSED: {count} of {_counted(count, 'check')} hold."
    else:
        words = f"FAILED: {failed} of {_counted(count, 'check')}."
    return f"{words}{_detectable(result)}"


def notes(result: GateResult) -> list[str]:
    """What does not decide, but should be known."""
    found = []
    if result.n_new:
        are = "configuration is" if result.n_new == 1 else "configurations are"
        found.append(f"{result.n_new} {are} not in the baseline: only floors apply.")
    if result.other_machine:
        words = ", ".join(
            f"{name.removeprefix('environment.')} {setting(before)} then, {setting(after)} now"
            for name, before, after in result.other_machine
        )
        found.append(f"Times were measured under other conditions: {words}.")
    if result.without_noise:
        found.append(
            f"The baseline has one run of each configuration, so any drop of "
            f"{', '.join(result.without_noise)} beyond the tolerance fails. {_REPEATS}"
        )
    return found


_REPEATS = (
    "Repeat its configurations with other seeds (seed=0,1,2), or give the metric a tolerance in "
    "--rules."
)


def _records(check: Check) -> str:
    if check.problem is Problem.NO_RUN:
        return "There is no finished run to check."
    if check.problem is Problem.UNREADABLE:
        return f"Cannot be read: {check.detail}."
    return "Every record can be read."


def _finished(check: Check) -> str:
    if check.problem is Problem.MISSING:
        return f"The planned run has no record: {check.detail}."
    if check.problem is Problem.NOT_FINISHED:
        verb = "was pruned" if check.value == "pruned" else check.value
        return f"The run {verb}: {check.detail}."
    return "The run finished." if check.count == 1 else f"All {check.count} runs finished."


def _data(check: Check) -> str:
    if check.passed:
        return f"The data are {check.detail}, sha256 {_short(check.value)}."
    name = check.metric.partition(".")[2]
    return (
        f"Another dataset: its {name} is {_short(check.value)}, the baseline's is "
        f"{_short(check.baseline)}. Make a baseline from these data."
    )


def _configurations(check: Check) -> str:
    if check.problem is Problem.CHANGED_SETTING:
        words = " and ".join(
            f"{name} is {setting(after)}, in the baseline {setting(before)}"
            for name, before, after in check.changed
        )
        count = _counted(check.count, "configuration")
        return f"A setting changed: {words} ({count}). {UPDATE}."
    if check.problem is Problem.MISSING:
        return "The sweep has no finished run of this configuration."
    return f"All {check.count} are there."


def _bound(check: Check) -> str:
    if check.problem is Problem.NO_RUN:
        return "No finished run for which the rule applies."
    if check.problem is Problem.NO_VALUE:
        return f"{check.metric} has no finite value in every run."
    of = f", the mean of {check.count} runs" if check.count > 1 else ""
    return f"{check.metric} is {check.value:.4f}{of}; the bound is {check.limit:g}."


def _relative(check: Check) -> str:
    if check.problem is Problem.NO_VALUE:
        return f"Cannot be judged: {check.metric} has no finite value in every run of the sweep."
    if check.problem is Problem.NO_BASELINE_VALUE:
        return f"Cannot be judged: {check.metric} has no finite value in every baseline run."
    moved = (
        f"{check.metric} went from {check.baseline:.4f} to {check.value:.4f} "
        f"({check.value - check.baseline:+.4f})"
    )
    if check.problem is Problem.NOISE_UNKNOWN:
        return (
            f"Cannot be judged: {moved}, and the baseline has one run, which does not show how "
            f"much other seeds change. {_REPEATS}"
        )
    if check.limit is None:
        return f"{moved}, not worse."
    tolerance = f"the tolerance of {check.tolerance:g}"
    if check.noticeable is None:
        limit = tolerance
    elif check.tolerance:
        limit = f"the limit of {check.limit:.4f} (other seeds, and {tolerance})"
    else:
        limit = f"the {check.limit:.4f} that other seeds explain"
    return f"{moved}, within {limit}." if check.passed else f"{moved}, worse by more than {limit}."


def _ratio(check: Check) -> str:
    if check.problem is Problem.NO_VALUE:
        return f"{check.metric} is not known for every run of the sweep."
    if check.problem is Problem.NO_BASELINE_VALUE:
        return f"{check.metric} is not known for every run of the baseline, or is 0."
    return (
        f"{check.metric} went from {check.baseline:.3g} to {check.value:.3g}, "
        f"x {check.value / check.baseline:.2f}; at most x {check.limit:g}."
    )


_SENTENCES: dict[CheckKind, Callable[[Check], str]] = {
    CheckKind.BASELINE: lambda check: check.detail,
    CheckKind.RECORDS: _records,
    CheckKind.FINISHED: _finished,
    CheckKind.DATA: _data,
    CheckKind.CONFIGURATIONS: _configurations,
    CheckKind.BOUND: _bound,
    CheckKind.RELATIVE: _relative,
    CheckKind.RATIO: _ratio,
}


def _detectable(result: GateResult) -> str:
    """The smallest noticeable change of each metric, over its configurations."""
    drops: dict[str, list[float]] = {}
    for check in result.checks:
        if check.noticeable is not None:
            drops.setdefault(check.metric, []).append(check.noticeable)
    words = [
        f"{metric} {min(own):.4f}" + (f" to {max(own):.4f}" if max(own) - min(own) >= 5e-5 else "")
        for metric, own in drops.items()
    ]
    return f" Detectable drop ({POWER:.0%} power): {'; '.join(words)}." if words else ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _short(value: Any) -> str:
    text = setting(value)
    return text[:12] if len(text) == 64 else text
