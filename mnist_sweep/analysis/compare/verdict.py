"""The one line on top of a comparison: what changed, or that nothing did beyond noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.changes import Change
    from mnist_sweep.analysis.compare.comparison import Pair, SharedChange

Kind = Literal["nothing shared", "identical", "noise", "untested", "better", "worse", "mixed"]
LEADING = ("accuracy", "f1", "f1_min")
"""Which metric a sentence is about, the first that changed significantly."""


@dataclass(frozen=True)
class Verdict:
    """What became of the second side: its kind, a sentence, and what limits it."""

    kind: Kind
    sentence: str
    caveats: tuple[str, ...] = ()


def verdict(pair: Pair) -> Verdict:
    """Sum up one pair of sides in a sentence."""
    if not pair.changes:
        return Verdict(
            "nothing shared",
            f"{pair.first.name} and {pair.second.name} share no configuration, so no metric can be "
            "compared one to one.",
        )
    caveats = _caveats(pair)
    if all(one.measured.identical for one in pair.changes):
        images = pair.changes[0].measured.flips
        of = f" for each of the {images.images:,} {pair.first.split} images" if images else ""
        runs = f"{_count(len(pair.changes), 'shared configuration')} predict the same class{of}"
        return Verdict("identical", f"No difference: {runs}.", caveats)
    telling = [one for one in pair.changes if one.tells]
    found = [c for one in telling for c in one.measured.summaries if c.significant()]
    if not telling:
        found = [change for change in pair.mean if change.significant()]
        return _of_other_seeds(pair, found, caveats)
    tested = [c for one in telling for c in one.measured.summaries if c.p_value is not None]
    if not found:
        return _nothing_found(pair, tested, caveats)
    return _changed(pair, telling, found, caveats)


def _changed(
    pair: Pair, telling: Sequence[SharedChange], found: Sequence[Change], caveats: tuple[str, ...]
) -> Verdict:
    kind = _direction(found)
    metric = _leading(found)
    own = [(one.shared.name, c) for one in telling for c in one.measured.summaries]
    own = [(name, c) for name, c in own if c.metric == metric and c.significant()]
    name, largest = max(own, key=lambda pair_: abs(pair_[1].change))
    of = f"{len(own)} of {_count(len(pair.changes), 'shared configuration')}"
    words = {
        "better": f"{pair.second.name} is better than {pair.first.name}",
        "worse": f"{pair.second.name} is worse than {pair.first.name}",
        "mixed": f"{pair.second.name} is better than {pair.first.name} in some and worse in others",
    }
    place = f" ({name})" if len(pair.changes) > 1 else ""
    largest_word = "most: " if len(own) > 1 else ""
    sentence = (
        f"{words[kind]}: {_told(pair, metric)} changed in {of}, {largest_word}"
        f"{change_words(largest)}{place}{_digits(telling)}."
    )
    return Verdict(kind, sentence, caveats)


def _of_other_seeds(pair: Pair, found: Sequence[Change], caveats: tuple[str, ...]) -> Verdict:
    """Single runs of other seeds tell only whether configurations move together."""
    mean = next((c for c in pair.mean if c.metric in LEADING), pair.mean[0])
    configurations = _count(len(pair.changes), "shared configuration")
    if found:
        kind = _direction(found)
        word = {"better": "better", "worse": "worse"}.get(kind, "different")
        leading = next(c for c in found if c.metric == _leading(found))
        return Verdict(
            kind,
            f"{pair.second.name} is {word}: the {configurations} move together, "
            f"{_told(pair, leading.metric)} by {change_words(leading)} on average.",
            caveats,
        )
    return Verdict(
        "noise",
        f"No difference beyond noise: both hold single runs of other seeds, and their differences "
        f"are of the size and kind that seeds make ({_told(pair, mean.metric)} "
        f"{change_words(mean)} on average over {configurations}).",
        caveats,
    )


def _nothing_found(pair: Pair, tested: Sequence[Change], caveats: tuple[str, ...]) -> Verdict:
    if not tested:
        largest = max((c for c in pair.mean), key=lambda c: abs(c.change), default=None)
        told = f" The mean {largest.metric} changed by {largest.change:+.4f}." if largest else ""
        return Verdict(
            "untested",
            "Values differ, but single values without predictions cannot be tested: repeat each "
            f"configuration with other seeds.{told}",
            caveats,
        )
    leading = [c for c in tested if c.metric in LEADING] or list(tested)
    largest_change = max(leading, key=lambda c: abs(c.change))
    return Verdict(
        "noise",
        f"No difference beyond noise: none of {len(tested)} changes is significant after Holm's "
        f"correction; the largest is {_told(pair, largest_change.metric)} "
        f"{change_words(largest_change)}.",
        caveats,
    )


def change_words(change: Change) -> str:
    """A change with its interval: -0.0213 [-0.0250, -0.0176]."""
    text = f"{change.change:+.4f}"
    if change.low is None or change.high is None:
        return text
    return f"{text} [{change.low:+.4f}, {change.high:+.4f}]"


def _digits(telling: Sequence[SharedChange]) -> str:
    """The digits that changed most often, each with the mean of its significant changes."""
    steps: dict[str, list[float]] = {}
    for one in telling:
        for change in one.measured.digits:
            if change.significant():
                steps.setdefault(change.metric.partition(".")[2], []).append(change.change)
    order = sorted(steps, key=lambda label: -abs(sum(steps[label])))[:4]
    if not order:
        return ""
    words = [f"{label} ({sum(steps[label]) / len(steps[label]):+.3f})" for label in order]
    more = f" and {len(steps) - len(order)} more" if len(steps) > len(order) else ""
    return f"; F1 by digit changed most for {', '.join(words)}{more}"


def _direction(found: Sequence[Change]) -> Literal["better", "worse", "mixed"]:
    signs = {change.better for change in found if change.metric == _leading(found)}
    return "mixed" if len(signs) > 1 else "better" if signs == {True} else "worse"


def _leading(found: Sequence[Change]) -> str:
    count = Counter(change.metric for change in found)
    return next((name for name in LEADING if count[name]), count.most_common(1)[0][0])


def _caveats(pair: Pair) -> tuple[str, ...]:
    found = []
    evidence = {one.measured.evidence for one in pair.changes}
    if "other images" in evidence:
        found.append(
            "The sides were evaluated on different images, so changes include that of the images "
            "and no image can be followed from one side to the other."
        )
    reasons = {one.measured.reason for one in pair.changes if one.measured.evidence == "values"}
    if reasons:
        found.append(f"Predictions could not be compared image by image: {min(reasons)}")
    single = any(
        len(one.shared.first) == len(one.shared.second) == 1 and not one.measured.identical
        for one in pair.changes
    )
    if single and "values" not in evidence:
        found.append(
            "One run on each side of a configuration: intervals cover the images alone and speak "
            "of these runs. Repeat with other seeds (seed=0,1,2) to speak of configurations."
        )
    for side in (pair.first, pair.second):
        if side.unfinished or side.problems:
            count = len(side.unfinished) + len(side.problems)
            found.append(f"{side.name}: {_count(count, 'run')} left no result and cannot count.")
    return tuple(found)


def _told(pair: Pair, metric: str) -> str:
    """The metric with its split, where there are splits: test accuracy."""
    return f"{pair.first.split} {metric}".strip()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
