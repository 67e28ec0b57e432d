"""Which point a search tries next, and which runs it stops: Optuna's samplers and pruners.

A suggestion is a function of the space, the settings and the runs so far alone. Nothing of Optuna's
is kept between two of them and there is no database of its, so an interrupted search goes on from
its records as if it had not been interrupted. TPE: Bergstra et al., NeurIPS 2011; asynchronous
halving: Li et al., MLSys 2020; Hyperband: Li et al., JMLR 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_sweep.errors import UsageError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping.search.space import Parameters, Space

INSTALL = "pip install 'mnist-sweep[optuna]'"
_DIRECTIONS = {True: "maximize", False: "minimize"}


@dataclass(frozen=True)
class Trial:
    """A point of a search and its result."""

    parameters: Parameters
    status: RunStatus | None = None  # None while it runs
    value: float | None = None  # the metric of a finished run
    figures: tuple[float | None, ...] = ()  # what pruning goes by, after each epoch

    @property
    def after_epoch(self) -> dict[int, float]:
        """Finite figures by epoch, from 1."""
        return {e: v for e, v in enumerate(self.figures, 1) if v is not None and math.isfinite(v)}


def library() -> Any:
    """Optuna, quiet."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError(
            f"search.sampler=tpe and search.pruner need Optuna, which is not installed: {INSTALL}. "
            "Without it there are search.sampler=random and grid."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def suggest(
    space: Space,
    tried: Sequence[Trial],
    settings: SearchSettings,
    *,
    maximize: bool,
    attempt: int = 0,
) -> Parameters:
    """The next point to try.

    `tried` are the runs so far, in their order, those that run now included, and `attempt` is how
    many suggestions were of no use since the last run began.
    """
    # After the first attempt at random, lest TPE suggest the same point again and again.
    seeds = np.random.SeedSequence((settings.seed, len(tried), attempt))
    if attempt or settings.sampler == "random":
        chance = np.random.default_rng(seeds)
        return tuple(dimension.draw(chance) for dimension in space.dimensions)
    optuna = library()
    distributions = {one.key: one.distribution(optuna.distributions) for one in space.dimensions}
    # Runs at work count as poor ones, so that workers do not flock to one place.
    sampler = optuna.samplers.TPESampler(
        seed=int(seeds.generate_state(1)[0]),
        n_startup_trials=settings.n_startup,
        constant_liar=True,
    )
    study = optuna.create_study(direction=_DIRECTIONS[maximize], sampler=sampler)
    states = optuna.trial.TrialState
    for one in tried:
        # A diverged run was a poor choice, and so is one whose metric is not finite; a failure
        # says nothing about its point.
        state = {None: states.RUNNING, RunStatus.FAILED: states.FAIL}.get(one.status, states.PRUNED)
        if one.status == RunStatus.FINISHED and one.value is not None:
            state = states.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=one.value if state is states.COMPLETE else None,
                params=dict(zip(distributions, one.parameters, strict=True)),
                distributions=distributions,
                intermediate_values={} if one.status == RunStatus.DIVERGED else one.after_epoch,
            )
        )
    drawn = study.ask(distributions).params
    return tuple(one.rounded(drawn[one.key]) for one in space.dimensions)


class PrunerAdapter:
    """Says which runs are to stop, from their figures and those of the others.

    `maximize`: whether more of the figure is better; `epochs`: the most that a run has.
    """

    def __init__(self, settings: SearchSettings, *, maximize: bool, epochs: int) -> None:
        optuna = library()
        first, pruners = settings.min_epochs, optuna.pruners
        pruner = {
            "median": lambda: pruners.MedianPruner(settings.min_runs, first),
            "halving": lambda: pruners.SuccessiveHalvingPruner(first, settings.reduction, 0),
            "hyperband": lambda: pruners.HyperbandPruner(
                first, max(epochs, first), settings.reduction
            ),
        }[settings.pruner]()
        self._running: dict[str, Any] = {}
        self._states = optuna.trial.TrialState
        # Hyperband deals its brackets by the study's name and the run's number.
        self._study = optuna.create_study(
            study_name="search", direction=_DIRECTIONS[maximize], pruner=pruner
        )

    def begin(self, run_id: str) -> None:
        """A run starts, or starts again."""
        if run_id not in self._running:
            self._running[run_id] = self._study.ask()

    def stops(self, run_id: str, epoch: int, figure: float) -> bool:
        """Whether a run should stop, given its figure after this epoch (from 1)."""
        trial = self._running[run_id]
        # A run that is repeated since its process died comes by the same epochs again.
        trials = self._study.get_trials(deepcopy=False)  # a copy of all takes long where many are
        if epoch not in trials[trial.number].intermediate_values:
            trial.report(figure, epoch)
        return bool(trial.should_prune())

    def end(self, run_id: str, one: Trial) -> None:
        """A run has ended, which may have been done elsewhere."""
        self.begin(run_id)
        trial, finite = self._running.pop(run_id), one.after_epoch
        if one.status == RunStatus.FINISHED and finite:
            # By the figure that all are judged by, whatever the search's own metric is.
            self._study.tell(trial, list(finite.values())[-1])
        else:
            pruned = one.status in (RunStatus.PRUNED, RunStatus.DIVERGED)
            self._study.tell(trial, state=self._states.PRUNED if pruned else self._states.FAIL)

    def replay(self, run_id: str, one: Trial, epochs: float) -> None:
        """Take in a run of an earlier invocation; after the last of its epochs nobody asked."""
        self.begin(run_id)
        for epoch, figure in one.after_epoch.items():
            if epoch < epochs:
                self.stops(run_id, epoch, figure)
        self.end(run_id, one)


def reason(settings: SearchSettings, figure: str) -> str:
    """Why a run was stopped."""
    if settings.pruner == "median":
        behind = "behind" if settings.direction == "best" else "ahead of"
        return f"{figure} is {behind} the median of the runs that were not stopped"
    those = {"halving": "that came this far", "hyperband": "of its bracket so far"}
    among = f"the {settings.direction} 1 in {settings.reduction} {those[settings.pruner]}"
    return f"{figure} is not among {among}"
