"""A selection with its uncertainty: `select`, and statistics over the runs' stored predictions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from mnist_sweep.analysis.selection import Candidate, Direction, Selection, select
from mnist_sweep.analysis.statistics import Covers, compare_all, resample_predictions
from mnist_sweep.analysis.statistics.bootstrap import checked_replicates
from mnist_sweep.analysis.statistics.variance import checked_level
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.metrics import VALIDATION, resolve
from mnist_sweep.records.computed import Computed
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.settings import DEFAULT_LEVEL, DEFAULT_MARGIN, DEFAULT_REPLICATES

# Configurations whose predictions are read and resampled unless more are asked for.
MAX_COMPARED = 2000
_STATISTICS = ("level", "margin", "replicates", "seed", "questions")
# A metric computed again from the predictions equals the record's but for rounding.
_SAME = 1e-9


class Unknown(StrEnum):
    """Why the uncertainty of a selection is not known."""

    NOT_FROM_PREDICTIONS = "the metric does not follow from predictions"
    ONE_CANDIDATE = "there is only one candidate"
    TOO_MANY = "there are too many candidates"
    UNREADABLE = "predictions cannot be read or compared"
    MISMATCH = "predictions and records do not belong together"
    NOT_COMPUTED = "it was not computed"


@dataclass(frozen=True)
class Confidence:
    """What is known of one candidate beside the chosen one, see `Comparisons`."""

    probability: float  # that it is the worst (or best); over all candidates they sum to 1
    p_value: float | None  # of no difference from the chosen one; None with single runs
    p_equivalent: float | None  # of a difference beyond the margin
    distinguishable: bool
    equivalent: bool  # one that is neither is undecided


@dataclass(frozen=True)
class UncertainSelection:
    """A selection with its uncertainty, or with the reason why that is not known."""

    selection: Selection
    confidences: tuple[Confidence, ...] = ()  # one per candidate, in the selection's order
    unknown: Unknown | None = None
    detail: str = ""  # what exactly could not be read or does not fit
    level: float = DEFAULT_LEVEL
    margin: float = DEFAULT_MARGIN  # the largest difference that counts as none
    replicates: int = DEFAULT_REPLICATES
    seed: int = 0  # of the statistics' randomness, not of a run
    questions: int = 1  # families of tests that its p-values are corrected for, itself included
    images: int = 0
    covers: Covers | None = None
    run_ids: tuple[str, ...] | None = None  # the runs that could count; None for all

    @property
    def chosen(self) -> Candidate:
        """The selected configuration."""
        return self.selection.chosen

    @property
    def probability(self) -> float | None:
        """The probability that the selected one really is the worst (or best)."""
        return self.confidences[0].probability if self.confidences else None

    @property
    def split(self) -> str | None:
        """The split of the metric that decided; None for a time or a count."""
        return self.selection.metric.split

    @property
    def others(self) -> list[tuple[Candidate, Confidence]]:
        """The other candidates, each with what is known of it."""
        return [*zip(self.selection.candidates, self.confidences, strict=False)][1:]

    @property
    def not_distinguishable(self) -> tuple[Candidate, ...]:
        """Other candidates that are not known to differ from it; with single runs all others."""
        return tuple(candidate for candidate, one in self.others if not one.distinguishable)

    @property
    def equivalent(self) -> tuple[Candidate, ...]:
        """Other candidates that are shown to lie within the margin of the selected one."""
        return tuple(candidate for candidate, one in self.others if one.equivalent)

    def to_json(self) -> dict[str, Any]:
        """The selection as plain values; `select_again` makes the same selection of it."""
        selection = self.selection
        candidates: list[dict[str, Any]] = [
            {
                "configuration_id": one.configuration_id,
                "label": one.label,
                "value": one.value,
                "runs": [
                    {"run_id": run, "seed": seed, "value": value}
                    for run, seed, value in zip(one.run_ids, one.seeds, one.values, strict=True)
                ],
            }
            for one in selection.candidates
        ]
        uncertainty = None
        if self.confidences:
            for candidate, one in zip(candidates, self.confidences, strict=True):
                candidate.update(asdict(one))
            uncertainty = {
                "probability": self.probability,
                "not_distinguishable": [one.configuration_id for one in self.not_distinguishable],
                "equivalent": [one.configuration_id for one in self.equivalent],
                "covers": self.covers,
                "images": self.images,
                "repeats": len(self.chosen.values),
            }
        return {
            "metric": selection.metric.name,
            "split": selection.metric.split,
            "higher_is_better": selection.metric.higher_is_better,
            "direction": selection.direction,
            "where": list(selection.where),
            "chosen": candidates[0],
            "candidates": candidates,
            "ties": [tie.configuration_id for tie in selection.ties],
            "uncounted": [run._asdict() for run in selection.uncounted],
            "weakest_split": selection.weakest_split,
            "weakest": [
                {"label": one.label, "f1": one.f1}
                | {
                    name: [{"label": k, "count": n} for k, n in getattr(one, name)]
                    for name in ("mistaken_for", "taken_for_it")
                }
                for one in selection.weakest
            ],
            "data": selection.data,
            "notes": [str(note) for note in selection.notes],
            "configuration_id": self.chosen.configuration_id,
            "run_ids": None if self.run_ids is None else list(self.run_ids),
            **{name: getattr(self, name) for name in _STATISTICS},
            "uncertainty": uncertainty,
            "uncertainty_unknown": None if self.unknown is None else str(self.unknown),
        }


def select_with_uncertainty(
    sweep: Sweep,
    where: Sequence[str] = (),
    by: str | None = None,
    direction: Direction = "worst",
    *,
    split: str | None = None,
    level: float = DEFAULT_LEVEL,
    margin: float | None = None,
    replicates: int = DEFAULT_REPLICATES,
    seed: int = 0,
    questions: int = 1,
    run_ids: Collection[str] | None = None,
    most: int | None = MAX_COMPARED,
) -> UncertainSelection:
    """Select a configuration and say how certain that is.

    Where that cannot be computed the selection stands, and `unknown` says why.

    Args:
        sweep: What was loaded from a directory; the runs' predictions are read from there.
        where: Conditions such as `layers=2`; all must hold.
        by: The metric's name, see `select`; None takes the objective, on `split` if given.
        direction: Which end of the order.
        split: The split of a metric that names none; None is validation.
        level: Confidence level.
        margin: The largest difference that counts as none; None takes the sweep's.
        replicates: Bootstrap samples of the images, at least 100.
        seed: Of the randomness.
        questions: How many families of tests are answered together, this one included.
        run_ids: Only these runs count; None takes all.
        most: Among more configurations than this nothing is resampled; None resamples always.

    Raises:
        SelectionError: Unknown metric or setting, or nothing with a value matches.
        DataError: The level or the number of replicates makes no sense.
    """
    runs = all_runs([sweep])
    if run_ids is not None and len(runs):
        runs = runs[runs["run_id"].isin(list(run_ids))]
    if by is None:
        word, colon, _ = sweep.objective.rpartition(":")
        name = f"{word}{colon}{resolve(sweep.objective).name}"
        by = sweep.objective if split is None else name
    chosen = select(runs, where, by, direction, split=split or VALIDATION)
    found = UncertainSelection(
        chosen,
        level=checked_level(level),
        margin=sweep.margin if margin is None else margin,
        replicates=checked_replicates(replicates),
        seed=seed,
        questions=questions,
        run_ids=None if run_ids is None else tuple(sorted(run_ids)),
    )
    if len(chosen.candidates) == 1:
        return replace(found, unknown=Unknown.ONE_CANDIDATE)
    if not chosen.metric.is_from_counts:
        return replace(found, unknown=Unknown.NOT_FROM_PREDICTIONS)
    if most is not None and len(chosen.candidates) > most:
        return replace(found, unknown=Unknown.TOO_MANY)
    try:
        return _with_confidences(found, sweep)
    except (DirectoryError, DataError) as error:
        return replace(found, unknown=Unknown.UNREADABLE, detail=str(error))


def select_again(sweep: Sweep, value: Mapping[str, Any]) -> UncertainSelection:
    """Repeat a selection from its `to_json`; if its runs are gone, it is a SelectionError."""
    # Earlier versions wrote no direction of the metric, no margin and no questions.
    value = {"margin": None, "questions": 1, **value}
    options = ("where", "direction", "run_ids", *_STATISTICS)
    for key in ("split", "metric", *options):
        if key not in value:
            raise DirectoryError(
                f"Expected a selection with {key!r} in {sweep.directory}, but it has none. "
                "Run the study's command again to rebuild it."
            )
    name = f"{value['split']}.{value['metric']}" if value["split"] else value["metric"]
    if "higher_is_better" in value:
        name = f"{'highest' if value['higher_is_better'] else 'lowest'}:{name}"
    return select_with_uncertainty(sweep, by=name, **{key: value[key] for key in options})


def _with_confidences(found: UncertainSelection, sweep: Sweep) -> UncertainSelection:
    import numpy as np

    selection, candidates = found.selection, found.selection.candidates
    directories = [place for one in candidates for place in one.directories]
    name = selection.metric.name
    # Runs of other programs have no data, and no predictions: reading these says so.
    classes = int(selection.runs["dataset.classes"].fillna(0).max())
    split = str(selection.metric.split)
    options = {key: getattr(found, key) for key in _STATISTICS}
    values = [one.values for one in candidates]
    key = [name, split, classes, selection.direction, options, values]
    known = Computed(sweep, key, directories)
    if known.answer is not None:
        columns, images, covers = known.answer
    else:
        answers = read_predicted(directories, split)
        rng = np.random.default_rng(found.seed)
        table = resample_predictions(
            answers.predicted, answers.true, [name], rng,
            replicates=found.replicates, classes=classes,
        )[name]  # fmt: skip
        ends = np.cumsum([len(own) for own in values])
        groups = np.split(np.arange(ends[-1]), ends[:-1])
        # The chosen one stays the one compared with, even where rounding resolves a tie otherwise.
        compared = compare_all(
            table, groups, selection.direction, rng,
            chosen=0, level=found.level, margin=found.margin, questions=found.questions,
        )  # fmt: skip
        for mean, candidate in zip(compared.means, candidates, strict=True):
            if not math.isclose(mean, candidate.value, abs_tol=_SAME):
                detail = (
                    f"{candidate.label}: {mean:.6f} from predictions, {candidate.value:.6f} in "
                    "the records"
                )
                return replace(found, unknown=Unknown.MISMATCH, detail=detail)
        none = np.full(len(candidates), None)
        parts = (compared.probability, compared.p_values, compared.p_equivalent,
                 compared.distinguishable, compared.equivalent)  # fmt: skip
        columns = [(none if one is None else one).tolist() for one in parts]
        images, covers = compared.images, compared.covers
        known.keep([columns, images, covers])
    confidences = tuple(map(Confidence, *columns))
    return replace(found, confidences=confidences, images=images, covers=Covers(covers))
