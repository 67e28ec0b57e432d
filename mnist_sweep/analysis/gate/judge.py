"""The gate's judgement: every rule applied to every configuration, each with a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from mnist_sweep.analysis.gate.baseline import (
    BaselineConfiguration,
    Dataset,
    configurations_and_datasets,
    machine_of,
)
from mnist_sweep.analysis.gate.noise import level_of_each
from mnist_sweep.analysis.gate.relative import judge_relative
from mnist_sweep.analysis.where import matches, parse
from mnist_sweep.records.paths import without_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.gate.baseline import Baseline
    from mnist_sweep.analysis.gate.rules import Floor, Rules
    from mnist_sweep.records.collect import Collection

_MOST_REASONS = 20
_MACHINE = ("cpu", "threads", "workers", "device")


@dataclass(frozen=True)
class Finding:
    """One rule applied to one configuration (empty: to the whole sweep).

    Attributes:
        rule: The rule as its reader knows it.
        configuration: The configuration's label, or "".
        passed: Whether it holds.
        sentence: What was found, and against what.
        noticeable: For a rule against the baseline's noise: the smallest drop it could notice.
    """

    rule: str
    configuration: str
    passed: bool
    sentence: str
    noticeable: float | None = None


@dataclass(frozen=True)
class Judgement:
    """All findings; `notes` do not decide."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every rule holds, and at least one was applied."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that do not hold."""
        return tuple(finding for finding in self.findings if not finding.passed)


def refused(rule: str, reason: str) -> Judgement:
    """The judgement where nothing could be judged: a failure with its reason."""
    return Judgement((Finding(rule, "", passed=False, sentence=reason),))


def check(found: Collection, baseline: Baseline, rules: Rules) -> Judgement:
    """Hold a sweep's records against a baseline.

    Damaged records and another dataset fail whatever the rules say; with another dataset nothing
    else is compared.
    """
    findings = _readable(found)
    if rules.all_finished:
        findings += _finished(found)
    current, datasets = configurations_and_datasets(found.records)
    if not current:
        findings.append(
            Finding("records", "", passed=False, sentence="There is no finished run to judge.")
        )
        return Judgement(tuple(findings))
    other = _other_data(datasets, baseline)
    findings.append(other)
    for floor in rules.floors:
        findings += _floor(found, floor)
    if not other.passed:
        return Judgement(tuple(findings))
    by_id = {one.configuration_id: one for one in current}
    shared = [
        (one, by_id[one.configuration_id])
        for one in baseline.configurations
        if one.configuration_id in by_id
    ]
    findings += _present(baseline, set(by_id))
    comparisons = len(rules.baseline) * len(baseline.configurations)
    level = level_of_each(rules.level, comparisons)
    for relative in rules.baseline:
        for label, outcome in judge_relative(relative, baseline, shared, level):
            findings.append(
                Finding(
                    f"{relative.metric} against the baseline",
                    label,
                    outcome.passed,
                    outcome.sentence,
                    outcome.noticeable,
                )
            )
    for name, most in rules.ratios.items():
        findings += [_ratio(name, most, old, new) for old, new in shared]
    return Judgement(tuple(findings), _notes(found, baseline, rules, set(by_id)))


def _readable(found: Collection) -> list[Finding]:
    problems = [str(problem) for problem in found.problems]
    if not problems:
        return [Finding("records", "", passed=True, sentence="Every record can be read.")]
    shown = problems[:_MOST_REASONS]
    findings = [
        Finding("records", "", passed=False, sentence=f"Cannot be read: {problem}.")
        for problem in shown
    ]
    if len(problems) > len(shown):
        more = f"{len(problems) - len(shown)} more cannot be read."
        findings.append(Finding("records", "", passed=False, sentence=more))
    return findings


def _finished(found: Collection) -> list[Finding]:
    rule = "all points finished"
    reasons = [
        (run.label, f"The run {_ended(run.status)}: {': '.join(run.error)}.")
        for run in found.runs
        if run.error is not None
    ]
    reasons += [(p.label, f"The planned run has no record: {p.reason}.") for p in found.missing]
    if reasons:
        return [Finding(rule, label, passed=False, sentence=text) for label, text in reasons]
    count = len(found.runs)
    words = f"All {count} runs finished." if count != 1 else "The run finished."
    return [Finding(rule, "", passed=True, sentence=words)]


def _ended(status: str) -> str:
    """A run's status as the end of a sentence."""
    return "was pruned" if status == "pruned" else status


def _other_data(datasets: Sequence[tuple[Dataset, str]], baseline: Baseline) -> Finding:
    rule = "same data as the baseline"
    for own, label in datasets:
        for name in [name for name in own if name != "name"]:
            value = own[name]
            expected = baseline.dataset.get(name)
            if value != expected:
                return Finding(
                    rule,
                    label,
                    passed=False,
                    sentence=(
                        f"Another dataset: its {name} is {_short(value)}, the baseline's is "
                        f"{_short(expected)}. Make a baseline from these data."
                    ),
                )
    sha256 = _short(baseline.dataset.get("sha256"))
    words = f"The data are {baseline.dataset.get('name')}, sha256 {sha256}."
    return Finding(rule, "", passed=True, sentence=words)


def _present(baseline: Baseline, present: set[str]) -> list[Finding]:
    rule = "every configuration of the baseline"
    absent = [one for one in baseline.configurations if one.configuration_id not in present]
    if absent:
        reason = "The baseline has this configuration and the sweep has no finished run of it."
        return [Finding(rule, one.label, passed=False, sentence=reason) for one in absent]
    count = len(baseline.configurations)
    return [Finding(rule, "", passed=True, sentence=f"All {count} are there.")]


def _floor(found: Collection, floor: Floor) -> list[Finding]:
    column, operator, bound = floor.bound
    rule = f"{floor.rule} where {floor.where}" if floor.where else floor.rule
    conditions = parse([floor.where]) if floor.where else []
    groups: dict[str, list[float | None]] = {}
    labels: dict[str, str] = {}
    for run in found.runs:
        row = run.values
        if run.status == "finished" and matches(conditions, row):
            labels.setdefault(run.configuration_id, without_seed(run.label))
            groups.setdefault(run.configuration_id, []).append(row.get(column))
    if not groups:
        reason = "No finished run for which the rule holds: it judged nothing."
        return [Finding(rule, "", passed=False, sentence=reason)]
    findings = []
    for key, values in groups.items():
        known = [float(value) for value in values if value is not None]
        if len(known) < len(values):
            sentence = f"{column} has no finite value in {len(values) - len(known)} of its runs."
            findings.append(Finding(rule, labels[key], passed=False, sentence=sentence))
            continue
        value = sum(known) / len(known)
        passed = value >= bound if operator == ">=" else value <= bound
        verb = "is" if passed else "is only" if operator == ">=" else "is as much as"
        of = f", the mean of {len(known)} runs" if len(known) > 1 else ""
        sentence = f"{column} {verb} {value:.4f}{of}; the bound is {bound:g}."
        findings.append(Finding(rule, labels[key], passed=passed, sentence=sentence))
    return findings


def _ratio(
    name: str, most: float, old: BaselineConfiguration, new: BaselineConfiguration
) -> Finding:
    rule = f"{name} at most x {most:g}"
    sides = [[run.values.get(name) for run in one.runs] for one in (old, new)]
    known = [[value for value in side if value is not None] for side in sides]
    whose = ("the baseline", "the sweep")
    for side, of, who in zip(sides, known, whose, strict=True):
        if len(of) < len(side):
            sentence = f"{name} is not known of every run of {who}, so it cannot be judged."
            return Finding(rule, old.label, passed=False, sentence=sentence)
    before, after = median(known[0]), median(known[1])
    if before <= 0:
        sentence = f"The baseline's {name} is {before:g}, so there is no ratio to judge."
        return Finding(rule, old.label, passed=False, sentence=sentence)
    ratio = after / before
    sentence = f"{name} went from {before:.3g} to {after:.3g}, x {ratio:.2f}; at most x {most:g}."
    return Finding(rule, old.label, passed=ratio <= most, sentence=sentence)


def _notes(
    found: Collection, baseline: Baseline, rules: Rules, present: set[str]
) -> tuple[str, ...]:
    notes = []
    known = {one.configuration_id for one in baseline.configurations}
    new = len(present - known)
    if new:
        notes.append(
            f"{new} configuration{'s are' if new > 1 else ' is'} not in the baseline: held to the "
            "floors alone."
        )
    own = machine_of(next(r for r in found.runs if r.status == "finished").record)
    differs = [name for name in _MACHINE if own[name] != baseline.machine.get(name)]
    if rules.ratios and differs:
        words = ", ".join(f"{n} {baseline.machine.get(n)} then, {own[n]} now" for n in differs)
        notes.append(f"Times were taken under other conditions: {words}.")
    return tuple(notes)


def _short(value: object) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text
