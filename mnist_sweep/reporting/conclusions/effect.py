"""What a change did to a selected network, in sentences made of the paired statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.analysis.statistics import corrected
from mnist_sweep.records.fields import flat_settings
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.conclusions import reported
from mnist_sweep.reporting.conclusions.selection import p_value
from mnist_sweep.reporting.conclusions.summary import Conclusion
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases import values as phrases
from mnist_sweep.reporting.phrases.names import network_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.selection import Uncounted
    from mnist_sweep.analysis.statistics import Difference
    from mnist_sweep.analysis.study_effect import Effect, StudyEffect

_TITLES = {"accuracy": "accuracy", "f1_min": "f1_min (the lowest F1 of a digit)"}


def effect_conclusions(effects: Sequence[StudyEffect]) -> list[Conclusion]:
    """Sentences on every change: accuracy, lowest F1, digits, and retraining alone.

    Where there are several changes, p-values of the same metric are corrected over them (Holm).
    """
    found = []
    known = [one for one in effects if one.effects]
    adjusted = {
        metric: corrected([one.effects[metric].overall for one in known]) for metric in _TITLES
    }
    for one in effects:
        if not one.effects:
            why = one.detail or f"{str(one.unknown).capitalize()}."
            text = f"What {change_of(one)} changed (stage {one.stage}) is not known: {why}"
            found.append(Conclusion(visible(text)))
            continue
        place = known.index(one)
        for metric in _TITLES:
            p = adjusted[metric][place].p_holm
            found.append(_overall(one, metric, p, len(known)))
        found.append(_retraining(one, one.effects["accuracy"]))
        found.append(_digits(one, one.effects["accuracy"].per_class))
    return found


def change_of(effect: StudyEffect) -> str:
    """'dropout=0.2': what was changed."""
    return ", ".join(f"{key}={setting(value)}" for key, value in effect.change.items())


def selected_name(effect: StudyEffect) -> str:
    """The unchanged network's name."""
    keys = [key for key in effect.change if key not in ("layers", "nodes")]
    record = effect.unchanged[0]
    settings = flat_settings(record.config)
    return network_name(settings, [key for key in keys if settings.get(key)])


def _unpaired(run: Uncounted) -> str:
    """'layers=2,seed=3 (failed: MemoryError: out of memory)', of a run that does not count."""
    if run.status == RunStatus.FINISHED:
        return f"{run.label} (its partner did not finish)"
    return f"{run.label} ({run.status}: {run.reason})"


def _overall(effect: StudyEffect, metric: str, p: float | None, changes: int) -> Conclusion:
    found = effect.effects[metric].overall
    before, after = phrases.share(metric, found.first), phrases.share(metric, found.second)
    seeds = len(effect.seeds)
    many = "one fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
    text = (
        f"{change_of(effect)} changed the {effect.split} {_TITLES[metric]} of "
        f"{selected_name(effect)} by {phrases.change(metric, found.estimate)}, from {before} to "
        f"{after} (paired on {many}): {_verdict(found, p)}."
    )
    sure = phrases.difference(found, p)
    if changes > 1:
        sure += f"; p corrected over {changes} changes (Holm), the interval is not"
    if effect.selected_split == effect.split:
        sure += f"; the network was selected on the {effect.split} split too"
    if effect.unpaired:
        sure += f"; not counted: {'; '.join(map(_unpaired, effect.unpaired))}"
    said = ""
    if "dropout" in effect.change and effect.split == "test":
        said = reported.change(metric, found.low, found.high)
    return Conclusion(visible(text), phrases.change(metric, found.estimate), visible(sure), said)


def _verdict(found: Difference, p: float | None) -> str:
    if p is None:
        return "with one seed each, not known to hold for others"
    if p > 1 - found.level:
        return "not distinguishable from no change"
    return f"distinguishably {'better' if found.estimate > 0 else 'worse'}"


def _retraining(effect: StudyEffect, found: Effect) -> Conclusion:
    """What a report that retrains once would have quoted, taken apart."""
    naive, again = (phrases.change("accuracy", v) for v in (found.naive, found.retraining))
    text = (
        f"Beside the runs it was selected by, {change_of(effect)} would have looked like {naive} "
        f"of {effect.split} accuracy; training the unchanged network again made {again} of that."
    )
    sure = (
        "the naive difference is biased: a network chosen for being worst, or best, was partly "
        "unlucky, or lucky"
    )
    return Conclusion(visible(text), f"{naive} naively", sure)


def _digits(effect: StudyEffect, per_class: Sequence[Difference]) -> Conclusion:
    """Which digits' F1 changed."""
    level = per_class[0].level
    moved = [one for one in per_class if one.p_holm is not None and one.p_holm <= 1 - level]
    largest = max(moved or per_class, key=lambda one: abs(one.estimate))
    listed = "; ".join(_digit(one) for one in moved or [largest])
    what = f"{change_of(effect)} changed the {effect.split} F1 of {selected_name(effect)}"
    text = (
        f"Digit by digit, {what} distinguishably for {listed}."
        if moved
        else f"Digit by digit, no change of F1 by {change_of(effect)} is distinguishable "
        f"({effect.split} split); the largest is of {listed}."
    )
    sure = (
        f"p corrected over the {len(per_class)} digits (Holm), level {level:g}; "
        f"{phrases.covered(per_class[0].covers)}"
    )
    number = phrases.change("f1", largest.estimate)
    return Conclusion(visible(text), f"{number} (digit {largest.metric.partition('.')[2]})", sure)


def _digit(found: Difference) -> str:
    label = found.metric.partition(".")[2]
    p = "" if found.p_holm is None else f", p {p_value(found.p_holm)}"
    return f"{label} ({found.estimate:+.4f}, {found.first:.4f} to {found.second:.4f}{p})"
