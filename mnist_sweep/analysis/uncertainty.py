"""A selection with its uncertainty: `select`, and statistics over the runs' stored predictions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mnist_sweep.analysis.selection import (
    STATISTICS,
    Confidence,
    Direction,
    Selection,
    Unknown,
    select,
)
from mnist_sweep.analysis.statistics import Covers, compare_all, resample_predictions
from mnist_sweep.analysis.statistics.bootstrap import checked_replicates
from mnist_sweep.analysis.statistics.variance import checked_level
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.metrics import VALIDATION, resolve
from mnist_sweep.records.computed import Computed
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.settings import DEFAULT_LEVEL, DEFAULT_REPLICATES

# Configurations whose predictions are read and resampled unless more are asked for.
MAX_COMPARED = 2000
# A metric computed again from the predictions equals the record's but for rounding.
_SAME = 1e-9


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
) -> Selection:
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
    found = replace(
        select(runs, where, by, direction, split=split or VALIDATION),
        level=checked_level(level),
        margin=sweep.margin if margin is None else margin,
        replicates=checked_replicates(replicates),
        seed=seed,
        questions=questions,
        run_ids=None if run_ids is None else tuple(sorted(run_ids)),
    )
    if len(found.candidates) == 1:
        return replace(found, unknown=Unknown.ONE_CANDIDATE)
    if not found.metric.is_from_counts:
        return replace(found, unknown=Unknown.NOT_FROM_PREDICTIONS)
    if most is not None and len(found.candidates) > most:
        return replace(found, unknown=Unknown.TOO_MANY)
    try:
        return _with_confidences(found, sweep)
    except (DirectoryError, DataError) as error:
        return replace(found, unknown=Unknown.UNREADABLE, detail=str(error))


def select_again(sweep: Sweep, value: Mapping[str, Any]) -> Selection:
    """Repeat a selection from its `to_json`; if its runs are gone, it is a SelectionError."""
    # Earlier versions wrote no direction of the metric, no margin and no questions.
    value = {"margin": None, "questions": 1, **value}
    options = ("where", "direction", "run_ids", *STATISTICS)
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


def _with_confidences(found: Selection, sweep: Sweep) -> Selection:
    import numpy as np

    candidates = found.candidates
    directories = [place for one in candidates for place in one.directories]
    name = found.metric.name
    # Runs of other programs have no data, and no predictions: reading these says so.
    classes = int(found.runs["dataset.classes"].fillna(0).max())
    split = str(found.metric.split)
    options = {key: getattr(found, key) for key in STATISTICS}
    values = [one.values for one in candidates]
    key = [name, split, classes, found.direction, options, values]
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
            table, groups, found.direction, rng,
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
    sure = map(Confidence, *columns)
    with_them = (replace(a, confidence=b) for a, b in zip(candidates, sure, strict=True))
    return replace(found, candidates=tuple(with_them), images=images, covers=Covers(covers))
