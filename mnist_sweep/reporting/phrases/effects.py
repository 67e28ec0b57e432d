"""What a study's changes did, in words: each with its number, its split and its uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mnist_sweep.analysis.study_effect import METRICS, StudyEffect
from mnist_sweep.metrics import TEST, resolve
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases import values
from mnist_sweep.reporting.phrases.conclusions import (
    TEST_ACCURACY,
    Conclusion,
    ConclusionKind,
    make,
)
from mnist_sweep.reporting.phrases.names import class_name, class_word, network_name
from mnist_sweep.settings import used


def effect_conclusions(effect: StudyEffect, claims: Mapping[str, str]) -> Iterator[Conclusion]:
    """What one change did: to each metric, to runs that are merely trained again, by class."""
    if not effect.overall:
        change = f"{_change_of(effect)} (stage {effect.stage})"
        text = f"The effect of {change} is unknown: {effect.unknown}"
        yield make(ConclusionKind.EFFECT, text)
        return
    name = _unchanged_name(effect)
    is_claimed = "dropout" in effect.change and effect.split == TEST
    for metric in METRICS:
        yield _overall(effect, metric, name, claims.get(metric, "") if is_claimed else "")
    yield _retraining(effect)
    yield _by_class(effect, name)


def _overall(effect: StudyEffect, metric: str, name: str, reported: str) -> Conclusion:
    found = effect.overall[metric]
    full = resolve(metric, effect.split)
    seeds = len(effect.seeds)
    many = "one new seed each" if seeds == 1 else f"means over {seeds} new seeds"
    before, after = values.amount(full, found.first), values.amount(full, found.second)
    number = values.change(metric, found.estimate)
    # Both metrics of a study's effects are better when higher.
    better = "better" if found.estimate > 0 else "worse"
    verdict = f"{better} in this single run, a different seed could reverse this"
    if found.p_value is not None:
        verdict = values.not_distinguishable(found)
        verdict = f"distinguishably {better}" if found.differs else verdict
    text = (
        f"{_change_of(effect)} changed the {values.metric_title(full)} of {name} by {number} "
        f"{values.brackets(full, found.low, found.high)}, from {before} to {after} ({many}, "
        f"same examples): {verdict}."
    )
    certainty = values.difference(found, found.p_holm)
    if found.p_holm is not None:
        certainty += "; p is corrected for all tests of the study and decides; the interval is not"
    if effect.selected_split == effect.split:
        certainty += f"; the network was also selected on the {effect.split} split"
    if effect.unpaired:
        excluded = (
            f"{label} (its partner did not finish)"
            if status == RunStatus.FINISHED
            else f"{label} ({status}: {reason})"
            for label, status, reason in effect.unpaired
        )
        certainty += f"; excluded: {'; '.join(excluded)}"
    return make(ConclusionKind.EFFECT, text, number, certainty, reported)


def _retraining(effect: StudyEffect) -> Conclusion:
    """What a report that retrains once would have quoted, and how much of it is retraining."""
    naive, again = (values.change("accuracy", v) for v in (effect.naive, effect.retraining))
    text = (
        f"The runs by which {_unchanged_name(effect)} was selected are not a fair comparison: "
        f"compared with them, {_change_of(effect)} seems to change the {effect.split} accuracy by "
        f"{naive}, but training the unchanged network again, with other seeds, already changed it "
        f"by {again}."
    )
    certainty = (
        "regression to the mean: a network that was selected as the worst (or best) was partly "
        "unlucky (or lucky), so it is closer to the others when trained again"
    )
    return make(ConclusionKind.RETRAINING, text, f"{naive} without a control", certainty)


def _by_class(effect: StudyEffect, name: str) -> Conclusion:
    """Of which classes a change affected the F1 of the network called `name`."""
    per_class, data = effect.per_class, effect.changed[0].data
    word = class_word(data.name)
    moved = [one for one in per_class if one.differs]
    largest = max(moved or per_class, key=lambda one: abs(one.estimate))
    names = {one.metric: class_name(data, int(one.metric.partition(".")[2])) for one in per_class}
    shown = []
    for one in moved or [largest]:
        p = "" if one.p_holm is None else f", p {values.p_value(one.p_holm)}"
        span = f"{one.estimate:+.4f}, {one.first:.4f} to {one.second:.4f}"
        shown.append(f"{names[one.metric]} ({span}{p})")
    listed = "; ".join(shown)
    start, change, split = f"{word.capitalize()} by {word}", _change_of(effect), effect.split
    certainty = values.coverage(per_class[0].covers)
    text = (
        f"{start}, the F1 of {name} with {change} differs most for {listed} ({split} split). "
        "With one seed each, a different seed could reverse this."
    )
    if per_class[0].p_value is not None:
        level = per_class[0].level
        certainty = f"p is corrected for all tests of the study, level {level:g}; {certainty}"
        text = (
            f"{start}, no change of F1 by {change} is distinguishable ({split} split); the "
            f"largest is of {listed}."
        )
    if moved:
        text = f"{start}, {change} changed the {split} F1 of {name} distinguishably for {listed}."
    number = f"{values.change('f1', largest.estimate)} ({word} {names[largest.metric]})"
    return make(ConclusionKind.CLASS_EFFECTS, text, number, certainty)


def against_best(effect: StudyEffect, best_name: str, claims: Mapping[str, str]) -> Conclusion:
    """How a changed network compares with the best one."""
    kind, found = ConclusionKind.AGAINST_BEST, effect.against_best or ""
    changed = f"{_unchanged_name(effect)} with {_change_of(effect)}"
    if isinstance(found, str):
        text = f"How {changed} compares with the best network, {best_name}, is unknown: {found}"
        return make(kind, text)
    verdict = f"distinguishably {'higher' if found.estimate > 0 else 'lower'}"
    if found.p_value is None:
        verdict = "with one run each, a different seed could reverse this"
    elif not found.differs:
        verdict = values.not_distinguishable(found)
    ours, theirs = (values.amount(TEST_ACCURACY, v) for v in (found.second, found.first))
    text = (
        f"{changed}, compared with the best network, {best_name}: test accuracy {ours} against "
        f"{theirs}, {verdict}."
    )
    number = values.change("accuracy", found.estimate)
    claim = claims.get("against best", "") if "dropout" in effect.change else ""
    return make(kind, text, number, values.difference(found, found.p_holm), claim)


def _change_of(effect: StudyEffect) -> str:
    """'dropout=0.2': what was changed."""
    return ", ".join(f"{key}={setting(value)}" for key, value in effect.change.items())


def _unchanged_name(effect: StudyEffect) -> str:
    """The name of the network that was changed; a changed setting is named where it was set."""
    settings = used(effect.unchanged[0].config)
    return network_name(settings, [key for key in effect.change if settings.get(key)])
