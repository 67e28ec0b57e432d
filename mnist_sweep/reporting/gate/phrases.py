"""The words of the gate: what each check is called, and a sentence for what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.gate import CheckKind, Problem
from mnist_sweep.analysis.gate.noise import POWER
from mnist_sweep.metrics import TEST, Format, resolve
from mnist_sweep.reporting.numbers import setting

if TYPE_CHECKING:
    from mnist_sweep.analysis.gate import Check, GateResult

_REPEATS = (
    "Repeat its configurations with other seeds (seed=0,1,2), or give the metric a tolerance in "
    "--rules."
)
_TITLES = {
    CheckKind.BASELINE: "a baseline",
    CheckKind.RECORDS: "records",
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
    (CheckKind.RECORDS, None): "Every record can be read.",
    (CheckKind.RECORDS, Problem.UNREADABLE): "{detail}",
    (CheckKind.RECORDS, Problem.NO_RUN): "There is no finished run to check.",
    (CheckKind.FINISHED, None): "{runs} finished.",
    (CheckKind.FINISHED, Problem.MISSING): "The planned run has no record: {detail}.",
    (CheckKind.FINISHED, Problem.NOT_FINISHED): "The run {ended}: {detail}.",
    (CheckKind.DATA, None): "The data are {detail}, sha256 {short_value}.",
    (CheckKind.DATA, Problem.VIOLATED): (
        "Another dataset: its {metric} is {short_value}, the baseline's is {short_baseline}. "
        "Make a baseline from these data."
    ),
    (CheckKind.CONFIGURATIONS, None): "All {count} are there.",
    (CheckKind.CONFIGURATIONS, Problem.MISSING): (
        "The sweep has no finished run of this configuration."
    ),
    (CheckKind.CONFIGURATIONS, Problem.CHANGED_SETTING): (
        "A setting changed: {changes} (configurations: {count}). If that is intended, update the "
        "baseline: mnist-sweep baseline DIR -o FILE."
    ),
    (CheckKind.BOUND, None): _BOUND,
    (CheckKind.BOUND, Problem.VIOLATED): _BOUND,
    (CheckKind.BOUND, Problem.NO_RUN): "No finished run for which the rule applies.",
    (CheckKind.BOUND, Problem.NO_VALUE): "{metric} has no finite value in every run.",
    (CheckKind.RELATIVE, None): f"{_MOVED}, {{within}}.",
    (CheckKind.RELATIVE, Problem.VIOLATED): f"{_MOVED}, worse by more than {{allowed}}.",
    (CheckKind.RELATIVE, Problem.NOISE_UNKNOWN): (
        f"Cannot be judged: {_MOVED}, and the baseline has one run, which does not show how much "
        f"other seeds change. {_REPEATS}"
    ),
    (CheckKind.RELATIVE, Problem.NO_VALUE): (
        "Cannot be judged: {metric} has no finite value in every run of the sweep."
    ),
    (CheckKind.RELATIVE, Problem.NO_BASELINE_VALUE): (
        "Cannot be judged: {metric} has no finite value in every run of the baseline."
    ),
    (CheckKind.RATIO, None): _RATIO,
    (CheckKind.RATIO, Problem.VIOLATED): _RATIO,
    (CheckKind.RATIO, Problem.NO_VALUE): "{metric} is not known for every run of the sweep.",
    (CheckKind.RATIO, Problem.NO_BASELINE_VALUE): (
        "{metric} is not known for every run of the baseline, or is 0."
    ),
}


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
    blind = 0
    for check in result.checks:
        if check.noticeable is None:
            continue
        if _is_share(check.metric) and check.noticeable >= (check.baseline or 0.0):
            blind += 1
        else:
            drops.setdefault(check.metric, []).append(check.noticeable)
    found = [
        f"{metric} {min(own):.4f}" + (f" to {max(own):.4f}" if max(own) - min(own) >= 5e-5 else "")
        for metric, own in drops.items()
    ]
    if found:
        words += f" Detectable drop ({POWER:.0%} power): {'; '.join(found)}."
    if blind:
        words += (
            f" No drop at all would be noticed in {blind} of the comparisons with the baseline: "
            "seeds differ too much. Add seeds to both."
        )
    return words


def _is_share(metric: str) -> bool:
    """Whether a metric's values are shares of one, which cannot drop by more than themselves."""
    return resolve(metric, TEST).format in (Format.PERCENT, Format.SHARE)


def notes(result: GateResult) -> list[str]:
    """What does not decide, but should be known."""
    found = []
    if result.n_new:
        found.append(f"Configurations not in the baseline, held to floors alone: {result.n_new}.")
    if result.other_machine:
        words = ", ".join(
            f"{name.removeprefix('environment.')} {setting(before)} then, {setting(after)} now"
            for name, before, after in result.other_machine
        )
        found.append(f"Times were measured under other conditions: {words}.")
    if result.without_noise:
        metrics = ", ".join(result.without_noise)
        found.append(
            f"The baseline has one run of each configuration, so any drop of {metrics} beyond the "
            f"tolerance fails. {_REPEATS}"
        )
    return found


def _phrases(check: Check) -> dict[str, Any]:
    """Parts of sentences that are more than one field."""
    numbers = isinstance(check.value, float) and isinstance(check.baseline, float)
    tolerance = f"the tolerance of {check.tolerance:g}"
    allowed = tolerance
    if check.noticeable is not None:
        allowed = f"the {check.limit:.4f} that other seeds explain"
        allowed += f" ({tolerance} included)" if check.tolerance else ""
    return {
        "metric": check.metric.partition(".")[2] if check.kind is CheckKind.DATA else check.metric,
        "mean": f", the mean of {check.count} runs" if check.count > 1 else "",
        "runs": "The run" if check.count == 1 else f"All {check.count} runs",
        "ended": "was pruned" if check.value == "pruned" else check.value,
        "change": check.value - check.baseline if numbers else None,
        "ratio": check.value / check.baseline if numbers and check.baseline else None,
        "short_value": setting(check.value)[:12],
        "short_baseline": setting(check.baseline)[:12],
        "allowed": allowed,
        "within": "not worse" if check.limit is None else f"within {allowed}",
        "changes": " and ".join(
            f"{name} is {setting(after)}, in the baseline {setting(before)}"
            for name, before, after in check.changed
        ),
    }
