"""The gate's check: every rule applied to every configuration of a sweep.

It fails closed: whatever cannot be judged is a failure with its reason.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.gate.baseline import DATA, MACHINE
from mnist_sweep.analysis.gate.noise import level_of_each, noise_limits, resolution_of
from mnist_sweep.analysis.gate.pairs import changed_settings, pairs
from mnist_sweep.analysis.gate.result import Check, CheckKind, GateResult, Problem
from mnist_sweep.analysis.plain_rows import first_row, plain_rows
from mnist_sweep.analysis.where import matches, parse
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.status import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mnist_sweep.analysis.gate.pairs import Pair
    from mnist_sweep.analysis.gate.rules import Floor, Relative, Rules
    from mnist_sweep.records.sweep import Sweep

EQUAL = 1e-6
"""Changes up to this are none: a baseline's file keeps six decimals."""


def refused(kind: CheckKind, detail: str) -> GateResult:
    """The result where nothing could be checked: a failure with its reason."""
    return GateResult((Check(kind, Problem.UNREADABLE, detail=detail),))


def check(sweep: Sweep, baseline: pd.DataFrame, rules: Rules) -> GateResult:
    """Check a sweep's runs against a baseline.

    Damaged records and other data fail whatever the rules say; with other data nothing is compared
    with the baseline.

    Args:
        sweep: The sweep.
        baseline: Runs, see `baseline.read_baseline`.
        rules: What to check.
    """
    checks = list(_readable(sweep))
    runs = sweep.frame
    is_finished = runs.get("status", runs.index.to_series()) == RunStatus.FINISHED
    finished = runs[is_finished]
    if rules.all_finished:
        checks += _finished(sweep, runs[~is_finished])
    if finished.empty:
        return GateResult((*checks, Check(CheckKind.RECORDS, Problem.NO_RUN)))
    data = _same_data(runs, baseline)
    checks.append(data)
    for floor in rules.floors:
        checks += _bound(finished, floor)
    if not data.passed:
        return GateResult(tuple(checks))
    matched = pairs(baseline, finished)
    checks += _present(matched, finished)
    shared = [pair for pair in matched if pair.sweep is not None]
    level = level_of_each(rules.level, len(rules.baseline) * len(matched))
    relative = [relative_check(rule, pair, level) for rule in rules.baseline for pair in shared]
    checks += relative
    for name, highest in rules.ratios.items():
        checks += [_ratio(name, highest, pair) for pair in shared]
    return GateResult(
        tuple(checks),
        n_new=finished["configuration_id"].nunique() - len(shared),
        other_machine=_other_machine(baseline, finished) if rules.ratios else (),
        without_noise=tuple(
            dict.fromkeys(one.metric for one in relative if one.passed and one.noticeable is None)
        ),
    )


def _readable(sweep: Sweep) -> Iterator[Check]:
    for problem in sweep.problems:
        yield Check(CheckKind.RECORDS, Problem.UNREADABLE, detail=str(problem))
    if not sweep.problems:
        yield Check(CheckKind.RECORDS, count=len(sweep.frame))


def _finished(sweep: Sweep, unfinished: pd.DataFrame) -> list[Check]:
    kind = CheckKind.FINISHED
    found = [
        Check(kind, Problem.MISSING, configuration=point.label, detail=point.reason)
        for point in sweep.missing
    ]
    names = ["label", "status", "error.type", "error.message"]
    for row in plain_rows(unfinished.reindex(columns=names)):
        label, status, *error = (row[name] for name in names)
        detail = ": ".join(text for text in error if text)
        found.append(
            Check(kind, Problem.NOT_FINISHED, configuration=label, value=status, detail=detail)
        )
    return found or [Check(kind, count=len(sweep.frame))]


def _same_data(runs: pd.DataFrame, baseline: pd.DataFrame) -> Check:
    expected = first_row(baseline)
    data = runs.reindex(columns=["label", *DATA])
    # As text: a damaged record may hold a list, which has no hash.
    for row in plain_rows(data[~data[[*DATA]].astype(str).duplicated()]):
        for name in DATA:
            if row[name] != expected.get(name):
                return Check(
                    CheckKind.DATA, Problem.VIOLATED, configuration=str(row["label"]), metric=name,
                    baseline=expected.get(name), value=row[name],
                )  # fmt: skip
    name = str(expected.get("dataset.name"))
    return Check(CheckKind.DATA, value=expected.get("dataset.sha256"), detail=name)


def _present(matched: list[Pair], finished: pd.DataFrame) -> list[Check]:
    kind = CheckKind.CONFIGURATIONS
    absent = [pair for pair in matched if pair.sweep is None]
    if not absent:
        return [Check(kind, count=len(matched))]
    changed = changed_settings([pair.label for pair in absent], finished["label"])
    if changed:
        return [Check(kind, Problem.CHANGED_SETTING, count=len(absent), changed=changed)]
    return [Check(kind, Problem.MISSING, configuration=pair.label) for pair in absent]


def _bound(finished: pd.DataFrame, floor: Floor) -> list[Check]:
    column, operator, bound = floor.bound
    common = Check(CheckKind.BOUND, rule=floor.text, metric=column, limit=bound)
    conditions = parse([floor.where]) if floor.where else []
    if conditions:
        columns = ["status", *(one.key for one in conditions)]
        rows = plain_rows(finished.reindex(columns=columns))
        finished = finished[[matches(conditions, row) for row in rows]]
    if finished.empty:
        return [replace(common, problem=Problem.NO_RUN)]
    checks = []
    for _, group in finished.groupby("configuration_id", sort=False):
        own = replace(common, configuration=without_seed(group["label"].iloc[0]), count=len(group))
        values = _values(group, column)
        if values is None:
            checks.append(replace(own, problem=Problem.NO_VALUE))
            continue
        value = fmean(values)
        holds = value >= bound if operator == ">=" else value <= bound
        checks.append(replace(own, value=value, problem=None if holds else Problem.VIOLATED))
    return checks


def relative_check(rule: Relative, pair: Pair, level: float) -> Check:
    """Whether a metric is not worse than the baseline's by more than noise and tolerance."""
    metric, tolerance = rule.resolved, rule.tolerance
    check = Check(
        CheckKind.RELATIVE, configuration=pair.label, metric=rule.metric, tolerance=tolerance
    )
    before, after = _values(pair.baseline, rule.metric), _values(pair.sweep, rule.metric)
    if before is None or after is None:
        missing = Problem.NO_BASELINE_VALUE if before is None else Problem.NO_VALUE
        return replace(check, problem=missing)
    check = replace(check, baseline=fmean(before), value=fmean(after), count=len(after))
    change = check.value - check.baseline
    worse_by = -change if metric.higher_is_better else change
    limits = noise_limits(before, after, resolution_of(metric, pair.baseline), level)
    if limits is not None:
        allowed, noticeable = (limit + tolerance for limit in limits)
        problem = Problem.VIOLATED if worse_by > allowed else None
        return replace(check, limit=allowed, noticeable=noticeable, problem=problem)
    problem = None
    if worse_by > tolerance + EQUAL:
        problem = Problem.VIOLATED if tolerance else Problem.NOISE_UNKNOWN
    return replace(check, limit=tolerance or None, problem=problem)


def _ratio(name: str, highest: float, pair: Pair) -> Check:
    check = Check(CheckKind.RATIO, configuration=pair.label, metric=name, limit=highest)
    before, after = _values(pair.baseline, name), _values(pair.sweep, name)
    if before is None or after is None or median(before) <= 0:
        known = before is not None and median(before) > 0
        return replace(check, problem=Problem.NO_VALUE if known else Problem.NO_BASELINE_VALUE)
    check = replace(check, baseline=median(before), value=median(after))
    holds = check.value <= highest * check.baseline
    return replace(check, problem=None if holds else Problem.VIOLATED)


def _values(runs: pd.DataFrame | None, column: str) -> list[float] | None:
    """A column's value of every run; None if some run has none that is finite."""
    if runs is None or column not in runs:
        return None
    known = [float(value) for value in runs[column].dropna()]
    return known if len(known) == len(runs) and all(map(math.isfinite, known)) else None


def _other_machine(
    baseline: pd.DataFrame, finished: pd.DataFrame
) -> tuple[tuple[str, Any, Any], ...]:
    before, after = first_row(baseline), first_row(finished)
    both = ((name, before.get(name), after.get(name)) for name in MACHINE)
    return tuple(one for one in both if one[1] != one[2])
