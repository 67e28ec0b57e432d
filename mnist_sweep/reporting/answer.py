"""What a report begins with: conclusions with their sureness, and selections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_sweep.errors import SelectionError
from mnist_sweep.results.select import Selection, select
from mnist_sweep.results.sweep import Sweep


@dataclass(frozen=True)
class Conclusion:
    """One sentence of the answer.

    Attributes:
        text: The sentence.
        number: The number it rests on, with its unit: '+0.21 points'; empty if it needs none.
        sureness: How sure that is: '95 % interval +0.05 to +0.37'; empty if nothing is known.
        reported: What the published report says of the same; empty if nothing.
    """

    text: str
    number: str = ""
    sureness: str = ""
    reported: str = ""


@dataclass(frozen=True)
class Answer:
    """What a report begins with; either part may be empty."""

    conclusions: tuple[Conclusion, ...] = ()
    selections: tuple[Selection, ...] = ()


def usual_answer(sweeps: Sequence[Sweep]) -> Answer:
    """The best configuration, and the worst of those with two layers or else of all.

    Empty where there is nothing to select from.
    """
    records = [record for sweep in sweeps for record in sweep.records]
    missing = [point for sweep in sweeps for point in sweep.missing]
    found = []
    for where, direction in (((), "best"), (("layers=2",), "worst"), ((), "worst")):
        try:
            selection = select(records, where, "f1_min", direction, missing=missing)  # type: ignore[arg-type]
        except SelectionError:
            continue
        if len(selection.candidates) > 1:
            found.append(selection)
        if len(found) == 2:
            break
    return Answer(selections=tuple(found))
