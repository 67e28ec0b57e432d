"""What a report begins with: conclusions with their sureness, and selections."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_sweep.analysis.uncertainty import UncertainSelection


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
    selections: tuple[UncertainSelection, ...] = ()
