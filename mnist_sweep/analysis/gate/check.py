"""The gate's check: every rule applied to every configuration of a sweep.

It fails closed: whatever cannot be judged is a failure with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median

from mnist_sweep.analysis.compare.sides import MACHINE
from mnist_sweep.analysis.gate.baseline import DATA
from mnist_sweep.analysis.gate.match import BaselinePair, label_of, mean_of, pair_up, values_of
from mnist_sweep.analysis.gate.noise import level_of_each, noise_limits, resolution_of, room_of
from mnist_sweep.analysis.gate.result import Check, CheckKind, GateResult, Problem
from mnist_sweep.analysis.gate.rules import Floor, Relative, Rules, costs
from mnist_sweep.analysis.selection import error_of
from mnist_sweep.analysis.where import holding, parse, plain_rows
from mnist_sweep.records.status import MAX_MISSING, RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.records.table import RunsTable

# What is shown of a configuration whose settings changed, if no rule names a metric.
SHOWN_METRIC = "test.accuracy"
_EQUAL = 1e-6  # a baseline's file keeps six decimals
_SAME_SECONDS = 1e-3  # and milliseconds


def refused(kind: CheckKind, detail: str) -> GateResult:
    """The result where nothing could be checked: a failure with its reason."""
    return GateResult((Check(kind, Problem.UNREADABLE, detail=detail),))


def check(
    sweep: Sweep, baseline: RunsTable, rules: Rules, source: Path | None = None
) -> GateResult:
    """Check a sweep's runs against a baseline, see `read_baseline`, which came from `source`.

    Damaged records, a missing plan, fewer runs than in the baseline and other data fail whatever
    the rules say; with other data nothing is compared with the baseline.
    """
    result = GateResult((), directory=str(sweep.directory), baseline=str(source or ""))
    if source is not None and source.resolve() == sweep.directory.resolve():
        return replace(result, checks=(Check(CheckKind.BASELINE, Problem.SAME_DIRECTORY),))
    runs = sweep.frame
    is_finished = runs["status"] == RunStatus.FINISHED
    finished, unfinished = runs[is_finished], runs[~is_finished]
    checks = [
        Check(CheckKind.RECORDS, Problem.UNREADABLE, detail=str(one)) for one in sweep.problems
    ] or [Check(CheckKind.RECORDS, count=len(runs))]
    checks += _planned(sweep)
    must_finish = rules.all_finished and not sweep.is_external
    if must_finish:
        checks += _unfinished(sweep, unfinished) or [Check(CheckKind.FINISHED, count=len(runs))]
    if finished.empty:
        no_run = Check(CheckKind.RECORDS, Problem.NO_RUN)
        return replace(result, checks=(*checks, no_run))
    data = _same_data(runs, baseline)
    checks.append(data)
    for floor in rules.floors:
        checks += _bound(finished, floor)
    if not data.passed:
        return replace(result, checks=tuple(checks))
    if "baseline" not in rules.model_fields_set and ":" in sweep.objective:
        rules = rules.model_copy(update={"baseline": [Relative(metric=sweep.objective)]})
    pairs = pair_up(baseline, finished)
    checks += _present(pairs, next((one.resolved.column for one in rules.baseline), SHOWN_METRIC))
    shared = [pair for pair in pairs if pair.is_same]
    level = level_of_each(rules.level, len(rules.baseline) * len(pairs))
    relative = [relative_check(rule, pair, level) for rule in rules.baseline for pair in shared]
    checks += relative
    for name, highest in rules.ratios.items():
        checks += [_ratio(name, highest, pair) for pair in shared]
    found = sum(pair.sweep is not None for pair in pairs)
    before, after = plain_rows(baseline.iloc[:1])[0], plain_rows(finished.iloc[:1])[0]
    machine = ((name, before.get(name), after.get(name)) for name in MACHINE)
    unknown = (one.metric for one in relative if one.passed and one.noticeable is None)
    return replace(
        result, checks=tuple(checks), n_new=finished["configuration_id"].nunique() - found,
        n_unfinished=0 if must_finish else len(sweep.missing) + len(unfinished),
        n_copied=_n_copied(baseline, finished),
        other_machine=tuple(one for one in machine if one[1] != one[2]) if rules.ratios else (),
        without_noise=tuple(dict.fromkeys(unknown)),
    )  # fmt: skip


def _planned(sweep: Sweep) -> list[Check]:
    runs, kind = sweep.frame, CheckKind.PLAN
    # A single run's directory needs no plan; one that is damaged is a problem of the sweep.
    is_one_run = len(runs) == 1 and runs["directory"].iloc[0] == str(sweep.directory)
    if is_one_run or any(one.path.name == "sweep.json" for one in sweep.problems):
        return []
    if not (points := sweep.plan.points if sweep.plan else {}):
        return [Check(kind, Problem.MISSING)]
    unplanned = [] if runs.empty else runs[~runs["run_id"].isin([*points])]["label"].to_list()
    if unplanned:
        first, count = unplanned[0], len(unplanned)
        return [Check(kind, Problem.UNPLANNED, configuration=first, count=count)]
    return [Check(kind, count=len(points))]


def _unfinished(sweep: Sweep, unfinished: RunsTable) -> list[Check]:
    kind, more = CheckKind.FINISHED, len(sweep.missing) - MAX_MISSING
    found = [
        Check(kind, Problem.MISSING, configuration=point.label, detail=point.reason)
        for point in sweep.missing[:MAX_MISSING]
    ]
    found += [Check(kind, Problem.MORE_MISSING, count=more)] if more > 0 else []
    for row in plain_rows(unfinished[["label", "status", "error.type", "error.message"]]):
        common = Check(kind, Problem.NOT_FINISHED, configuration=row["label"])
        found.append(replace(common, value=row["status"], detail=error_of(row)))
    return found


def _same_data(runs: RunsTable, baseline: RunsTable) -> Check:
    expected = plain_rows(baseline.iloc[:1])[0]
    data = runs.reindex(columns=["label", *DATA])
    # As text: a damaged record may hold a list, which has no hash.
    for row in plain_rows(data[~data[[*DATA]].astype(str).duplicated()]):
        for name in DATA:
            was, label = expected.get(name), str(row["label"])
            if row[name] != was:
                found = Check(CheckKind.DATA, Problem.VIOLATED, configuration=label, metric=name)
                return replace(found, baseline=was, value=row[name])
    name = str(expected.get("dataset.name"))
    return Check(CheckKind.DATA, value=expected.get("dataset.sha256"), detail=name)


def _present(pairs: Sequence[BaselinePair], metric: str) -> list[Check]:
    """Whether every configuration of the baseline is there; one check for each change."""
    kind = CheckKind.CONFIGURATIONS
    found: list[Check] = []
    changed: dict[str, list[BaselinePair]] = {}
    for pair in pairs:
        if pair.sweep is None:
            found.append(Check(kind, Problem.MISSING, configuration=pair.label))
        elif pair.changed:
            changed.setdefault(repr(pair.changed), []).append(pair)
        elif not pair.is_same:
            fewer = Check(kind, Problem.FEWER_RUNS, configuration=pair.label)
            found.append(replace(fewer, baseline=len(pair.baseline), value=len(pair.sweep)))
    for own in changed.values():
        means = ((p.label, mean_of(p.baseline, metric), mean_of(p.sweep, metric)) for p in own)
        one = Check(kind, Problem.CHANGED_SETTING, metric=metric, changed=own[0].changed)
        found.append(replace(one, count=len(own), values=tuple(means)))
    return found or [Check(kind, count=len(pairs))]


def _bound(finished: RunsTable, floor: Floor) -> Iterator[Check]:
    column, operator, bound = floor.bound
    common = Check(CheckKind.BOUND, rule=floor.text, metric=column, limit=bound)
    finished = finished[holding(parse([floor.where] if floor.where else []), finished)]
    if finished.empty:
        yield replace(common, problem=Problem.NO_RUN)
    for _, group in finished.groupby("configuration_id", sort=False):
        problem, value = None, mean_of(group, column)
        if value is None:
            problem = Problem.NO_VALUE
        elif value < bound if operator == ">=" else value > bound:
            problem = Problem.VIOLATED
        yield replace(
            common, problem=problem, configuration=label_of(group), value=value, count=len(group)
        )


def relative_check(rule: Relative, pair: BaselinePair, level: float) -> Check:
    """Whether a metric is not worse than the baseline's by more than noise and tolerance."""
    metric, tolerance = rule.resolved, rule.tolerance
    column = metric.column
    check = Check(CheckKind.RELATIVE, configuration=pair.label, metric=column, tolerance=tolerance)
    before, after = values_of(pair.baseline, column), values_of(pair.sweep, column)
    if before is None or after is None or pair.sweep is None:
        missing = Problem.NO_BASELINE_VALUE if before is None else Problem.NO_VALUE
        runs = pair.baseline if pair.sweep is None else pair.sweep
        # A tracking store's runs: each of its experiments may measure something else.
        names = runs["task.experiment"].dropna() if "task.experiment" in runs else ()
        return replace(check, problem=missing, detail=", ".join(sorted({*map(str, names)})))
    check = replace(check, baseline=fmean(before), value=fmean(after), count=len(after))
    room = room_of(metric, check.baseline, pair.sweep)
    if tolerance >= room:
        return replace(check, problem=Problem.ALLOWS_ANY)
    change = check.value - check.baseline
    worse_by = -change if metric.higher_is_better else change
    problem, allowed = Problem.VIOLATED, tolerance + _EQUAL
    limits = noise_limits(before, after, resolution_of(metric, pair.baseline), level)
    if limits is not None and limits[1] < room:
        allowed, noticeable = (limit + tolerance for limit in limits)
        check = replace(check, limit=allowed, noticeable=noticeable)
    elif tolerance:
        check = replace(check, limit=tolerance)
    else:
        problem = Problem.NOISE_UNKNOWN
    return replace(check, problem=problem if worse_by > allowed else None)


def _ratio(name: str, highest: float, pair: BaselinePair) -> Check:
    check = Check(CheckKind.RATIO, configuration=pair.label, metric=name, limit=highest)
    before, after = values_of(pair.baseline, name), values_of(pair.sweep, name)
    if before is None or median(before) <= 0:
        return replace(check, problem=Problem.NO_BASELINE_VALUE)
    if after is None:
        return replace(check, problem=Problem.NO_VALUE)
    is_broken = median(after) > highest * median(before)
    problem = Problem.VIOLATED if is_broken else None
    return replace(check, problem=problem, baseline=median(before), value=median(after))


def _n_copied(baseline: RunsTable, finished: RunsTable) -> int:
    """Runs whose times are all those of the baseline's run: no two measurements agree so."""
    names = [name for name in costs() if name.startswith("time.") and name in baseline]
    both = baseline[["run_id", *names]].merge(finished[["run_id", *names]], on="run_id")
    known = both[both.notna().all(axis=1)]
    apart = [(known[f"{name}_x"] - known[f"{name}_y"]).abs() for name in names]
    return sum(max(own) <= _SAME_SECONDS for own in zip(*apart, strict=True))
