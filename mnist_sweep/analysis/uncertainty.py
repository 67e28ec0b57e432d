"""A selection with how sure it is: `select`, and statistics over the runs' stored predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.selection import Direction, Selection, select
from mnist_sweep.analysis.selection_json import selection_json
from mnist_sweep.analysis.statistics import collapse, compare_all, resample
from mnist_sweep.analysis.statistics.patterns import checked_predictions
from mnist_sweep.analysis.statistics.variance import checked_level
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.predicted import Predicted, read_predicted
from mnist_sweep.records.runs import Records

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mnist_sweep.analysis.candidates import Candidate
    from mnist_sweep.metrics import Metric
    from mnist_sweep.records.sweep import Sweep

LEVEL = 0.95
REPLICATES = 2000
MOST_COMPARED = 2000
"""Configurations whose predictions are read and resampled unless more are wanted."""
_SAME = 1e-9
"""A metric computed again from the predictions equals the record's but for rounding."""


@dataclass(frozen=True)
class Sureness:
    """How sure a selection is of one candidate.

    Attributes:
        configuration_id: Which candidate.
        probability: That it is the worst (or best); over all candidates they sum to 1.
        p_value: Of no difference from the chosen one, corrected for having chosen; 1 for itself.
            None with single runs, which say nothing of configurations.
        distinguishable: Whether it differs from the chosen one at the level.
    """

    configuration_id: str
    probability: float
    p_value: float | None
    distinguishable: bool


@dataclass(frozen=True)
class UncertainSelection:
    """A selection with its uncertainty, or with the reason why that is not known.

    Attributes:
        selection: What was chosen, from what, and what could not be counted.
        sureness: One per candidate, in the selection's order; empty if not known.
        unknown: Why it is not known, one sentence; empty if it is.
        level: Confidence level.
        replicates: Bootstrap samples of the images.
        seed: Of the statistics' randomness, not of a run.
        images: How many images the candidates were measured on; 0 if not known.
        covers: What would vary were it all done again: "images", or "images and seeds".
        run_ids: The runs that could count, in order of id; None for all of the sweep.
    """

    selection: Selection
    sureness: tuple[Sureness, ...] = ()
    unknown: str = ""
    level: float = LEVEL
    replicates: int = REPLICATES
    seed: int = 0
    images: int = 0
    covers: str = ""
    run_ids: tuple[str, ...] | None = None

    @property
    def chosen(self) -> Candidate:
        """The selected configuration."""
        return self.selection.chosen

    @property
    def configuration_id(self) -> str:
        """The selected configuration's id."""
        return self.chosen.configuration_id

    @property
    def probability(self) -> float | None:
        """The probability that the selected one really is the worst (or best)."""
        return self.sureness[0].probability if self.sureness else None

    @property
    def repeats(self) -> int:
        """How many runs of the selected configuration counted."""
        return len(self.chosen.values)

    @property
    def split(self) -> str | None:
        """The split of the metric that decided; None for a time or a count."""
        return self.selection.metric.split

    @property
    def not_distinguishable(self) -> tuple[Candidate, ...]:
        """Other candidates that are not known to differ from the selected one at the level.

        With single runs these are all others, since one seed says nothing of configurations.
        """
        candidates = self.selection.candidates
        return tuple(
            candidates[number]
            for number, sure in enumerate(self.sureness)
            if number and not sure.distinguishable
        )

    def to_json(self) -> dict[str, Any]:
        """The selection as plain values; `select_again` makes the same selection of it."""
        value = selection_json(self.selection) | {
            "configuration_id": self.configuration_id,
            "run_ids": None if self.run_ids is None else list(self.run_ids),
            "level": self.level,
            "replicates": self.replicates,
            "seed": self.seed,
            "uncertainty": None,
            "uncertainty_unknown": self.unknown or None,
        }
        if not self.sureness:
            return value
        for candidate, sure in zip(value["candidates"], self.sureness, strict=True):
            candidate |= {
                "probability": sure.probability,
                "p_value": sure.p_value,
                "distinguishable": sure.distinguishable,
            }
        others = [candidate.configuration_id for candidate in self.not_distinguishable]
        value["chosen"] = value["candidates"][0]
        value["uncertainty"] = {
            "probability": self.probability,
            "not_distinguishable": others,
            "covers": self.covers,
            "images": self.images,
            "repeats": self.repeats,
        }
        return value


def select_with_uncertainty(
    sweep: Sweep,
    where: Sequence[str] = (),
    by: str = "f1_min",
    direction: Direction = "worst",
    *,
    split: str = "validation",
    level: float = LEVEL,
    replicates: int = REPLICATES,
    seed: int = 0,
    run_ids: Collection[str] | None = None,
    most: int | None = MOST_COMPARED,
) -> UncertainSelection:
    """Select a configuration and say how sure that is.

    Uncertainty that cannot be had (predictions missing, a metric of another kind) is no error: the
    selection stands, and `unknown` says why nothing is known of its sureness.

    Args:
        sweep: What was loaded from a directory; the runs' predictions are read from there.
        where: Conditions such as `layers=2`; all must hold.
        by: The metric's name, see `results.metric`.
        direction: Which end of the order.
        split: The split of a metric that names none.
        level: Confidence level.
        replicates: Bootstrap samples of the images, at least 100.
        seed: Of the randomness; the same seed gives the same answer.
        run_ids: Only these runs count; None takes all.
        most: Among more configurations than this only a bound is computed, which `unknown` tells;
            None computes it all, however long that takes.

    Raises:
        SelectionError: Unknown metric or setting, or nothing with a value matches.
        DataError: The level or the number of replicates makes no sense.
    """
    chosen = select(
        sweep.records
        if run_ids is None
        else Records(run for run in sweep.runs if run.run_id in run_ids),
        where,
        by,
        direction,
        split=split,
        missing=[m for m in sweep.missing if run_ids is None or m.run_id in run_ids],
    )
    ids = None if run_ids is None else tuple(sorted(run_ids))
    settings: dict[str, Any] = {
        "level": checked_level(level), "replicates": replicates, "seed": seed, "run_ids": ids,
    }  # fmt: skip
    unknown = _unknown_metric(chosen.metric)
    if len(chosen.candidates) == 1:
        unknown = "There is only one candidate."
    if not unknown and most is not None and len(chosen.candidates) > most:
        unknown = _too_many(chosen, most)
    if unknown:
        return UncertainSelection(chosen, unknown=unknown, **settings)
    try:
        answers = _answers(sweep, chosen)
    except (DirectoryError, DataError) as error:
        return UncertainSelection(chosen, unknown=str(error), **settings)
    return _with_sureness(chosen, answers, settings)


def select_again(sweep: Sweep, value: Mapping[str, Any]) -> UncertainSelection:
    """Make a selection again from what `UncertainSelection.to_json` holds, over today's records.

    Args:
        sweep: What was loaded from the directory.
        value: The selection as JSON.

    Raises:
        SelectionError: Its runs are gone.
        DirectoryError: `value` is no selection.
    """
    try:
        split = value["split"]
        name = f"{split}.{value['metric']}" if split else value["metric"]
        known = {key: value[key] for key in ("level", "replicates", "seed", "run_ids")}
        where, direction = value["where"], value["direction"]
    except KeyError as error:
        raise DirectoryError(
            f"Expected a selection with {error.args[0]!r} in {sweep.directory}, but it has none. "
            "Run the study's command again to write it anew."
        ) from error
    return select_with_uncertainty(sweep, where, name, direction, **known)


def _unknown_metric(metric: Metric) -> str:
    """Why this metric has no uncertainty from predictions; empty if it has one."""
    if metric.is_from_counts:
        return ""
    return f"The runs' predictions do not tell how {metric} would vary; its repeats do."


def _too_many(selection: Selection, most: int) -> str:
    return (
        f"the {len(selection.candidates):,} candidates are too many to compare each with each "
        f"(over {most:,}; --exact does it)."
    )


def _answers(sweep: Sweep, selection: Selection) -> Predicted:
    runs = selection.candidates.runs
    answers = read_predicted(
        [run.directory or sweep.directory for run in runs], str(selection.metric.split)
    )
    classes = runs[0].values["dataset.classes"]
    checked_predictions(answers.predicted, answers.true, classes)
    return answers


def _with_sureness(
    selection: Selection, answers: Predicted, settings: dict[str, Any]
) -> UncertainSelection:
    import numpy as np

    candidates = selection.candidates
    counts = [len(candidate.values) for candidate in candidates]
    rng = np.random.default_rng(settings["seed"])
    classes = candidates[0].runs[0].values["dataset.classes"]
    name = selection.metric.name
    patterns = collapse(answers.predicted, answers.true, classes)
    table = resample(patterns, [name], rng, settings["replicates"])[name]
    groups = np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1])
    # The chosen one stays the one compared with, even where rounding resolves a tie otherwise.
    found = compare_all(table, groups, selection.direction, rng, chosen=0, level=settings["level"])
    for number, candidate in enumerate(candidates):
        if not math.isclose(found.means[number], candidate.value, abs_tol=_SAME):
            text = (
                f"The stored predictions of {candidate.label} give {selection.metric} "
                f"{found.means[number]:.6f}, its records {candidate.value:.6f}: they do not "
                "belong together. Delete those runs' directories and run them again."
            )
            return UncertainSelection(selection, unknown=text, **settings)
    distinguishable = found.distinguishable
    sureness = tuple(
        Sureness(
            configuration_id=candidate.configuration_id,
            probability=float(found.probability[number]),
            p_value=None if found.p_values is None else float(found.p_values[number]),
            distinguishable=bool(distinguishable[number]),
        )
        for number, candidate in enumerate(candidates)
    )
    return UncertainSelection(
        selection, sureness, images=found.images, covers=found.covers, **settings
    )
