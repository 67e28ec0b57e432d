"""The words of a comparison: the verdict on top, its limits, and why times do not compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.analysis.compare.changes import Evidence
from mnist_sweep.analysis.compare.verdict import VerdictKind
from mnist_sweep.reporting.numbers import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_sweep.analysis.compare.changes import Change
    from mnist_sweep.analysis.compare.comparison import Pair

MAX_DIGITS = 4
SEEDS = "Repeat each configuration with other seeds (seed=0,1,2)"


def verdict_sentence(pair: Pair) -> str:
    """What became of the second side, in a sentence."""
    return _SENTENCES[pair.verdict.kind](pair)


def caveats(pair: Pair) -> list[str]:
    """What limits the verdict."""
    found = []
    evidence = {one.evidence for one in pair.changes}
    if Evidence.OTHER_IMAGES in evidence:
        found.append(
            "The sides were evaluated on different images, so changes include that of the images "
            "and no image can be followed from one side to the other."
        )
    if Evidence.VALUES in evidence:
        reasons = [one.reason for one in pair.changes if one.reason]
        why = min(reasons) if reasons else "there are none."
        found.append(f"Predictions could not be compared image by image: {why}")
    single = any(one.n_runs == (1, 1) and not one.identical for one in pair.changes)
    if single and evidence != {Evidence.VALUES}:
        found.append(
            "One run on each side of a configuration: their intervals are about these runs on "
            f"other images. {SEEDS} to compare configurations."
        )
    for side in (pair.first, pair.second):
        if side.without_result:
            count = counted(len(side.without_result), "run")
            found.append(f"{side.name}: {count} without a complete result.")
    return found


def change_words(change: Change) -> str:
    """A change with its interval: -0.0213 [-0.0250, -0.0176]."""
    text = f"{change.change:+.4f}"
    if change.low is None or change.high is None:
        return text
    return f"{text} [{change.low:+.4f}, {change.high:+.4f}]"


def time_reasons(pair: Pair) -> list[str]:
    """Why times do not compare; empty if they do."""
    conditions = pair.time_conditions
    found = []
    for one in conditions.machine:
        first, second = (", ".join(map(setting, values)) for values in one.by_side)
        found.append(f"{one.name} {first} against {second}")
    for side, busy in zip((pair.first, pair.second), conditions.busy, strict=True):
        if busy:
            found.append(
                f"the machine was busy with something else during {busy} of {len(side.runs)} runs "
                f"of {side.name}"
            )
    return found


def counted(number: int, noun: str) -> str:
    """'1 run', '1,200 runs'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _nothing_shared(pair: Pair) -> str:
    return (
        f"{pair.first.name} and {pair.second.name} share no configuration, so no metric can be "
        "compared one to one."
    )


def _identical(pair: Pair) -> str:
    flips = pair.changes[0].flips
    of = f" for each of the {flips.images:,} {pair.first.split} images" if flips else ""
    shared = counted(len(pair.changes), "shared configuration")
    return f"No difference: the same predictions in {shared}{of}."


def _noise(pair: Pair) -> str:
    if pair.verdict.configuration:
        return (
            f"No difference beyond noise: none of {pair.verdict.n_tests} changes is significant "
            f"after Holm's correction; the largest is {_about(pair)}."
        )
    count = counted(len(pair.changes), "shared configuration")
    return (
        f"No difference beyond noise: {count} with one run each do not change in one direction "
        f"({_about(pair)} on average)."
    )


def _untested(pair: Pair) -> str:
    return (
        f"The values differ ({_about(pair)} on average), but one run each does not show whether "
        f"the configurations do. {SEEDS}."
    )


def _changed(pair: Pair) -> str:
    verdict, first = pair.verdict, pair.first.name
    kind = f"{verdict.kind} than {first}"
    if verdict.kind is VerdictKind.MIXED:
        kind = f"better than {first} in some and worse in others"
    count = counted(len(pair.changes), "shared configuration")
    if not verdict.configuration:
        what = f"{_about(pair)} on average over {count}"
    else:
        most = "most: " if verdict.n_changed > 1 else ""
        place = f" ({verdict.configuration})" if len(pair.changes) > 1 else ""
        what = (
            f"{_metric(pair)} changed in {verdict.n_changed} of {count}, {most}{_size(pair)}{place}"
        )
    return f"{pair.second.name} is {kind}: {what}{_digits(pair)}."


_SENTENCES: dict[VerdictKind, Callable[[Pair], str]] = {
    VerdictKind.NOTHING_SHARED: _nothing_shared,
    VerdictKind.IDENTICAL: _identical,
    VerdictKind.NOISE: _noise,
    VerdictKind.UNTESTED: _untested,
    VerdictKind.BETTER: _changed,
    VerdictKind.WORSE: _changed,
    VerdictKind.MIXED: _changed,
}


def _about(pair: Pair) -> str:
    """The change that the verdict is about: 'test accuracy -0.0213 [-0.0250, -0.0176]'."""
    return f"{_metric(pair)} {_size(pair)}"


def _metric(pair: Pair) -> str:
    name = pair.verdict.change.metric if pair.verdict.change else ""
    return f"{pair.first.split or ''} {name}".strip()


def _size(pair: Pair) -> str:
    return change_words(pair.verdict.change) if pair.verdict.change else ""


def _digits(pair: Pair) -> str:
    """The digits that changed most, each with the mean of its significant changes."""
    digits = pair.verdict.digits
    if not digits:
        return ""
    words = [f"{label} ({change:+.3f})" for label, change in digits[:MAX_DIGITS]]
    left = len(digits) - MAX_DIGITS
    more = f" and {left} more" if left > 0 else ""
    return f"; F1 by digit changed most for {', '.join(words)}{more}"
