"""What a search is to do: its settings, checked against its space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.settings import SearchSettings, nested_problems
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.search.space import Space

DEFAULT_RUNS = 20


@dataclass(frozen=True)
class SearchPlan:
    """What a search is to do: its settings, and what follows from them.

    Attributes:
        settings: The `search` node.
        metric: By which it chooses.
        figure: Of the history, by which it prunes.
        runs: How many runs there are to be in the end.
    """

    settings: SearchSettings
    metric: Metric
    figure: str
    runs: int

    @property
    def direction(self) -> Direction:
        """Whether the best or the worst is looked for."""
        return "worst" if self.settings.direction == "worst" else "best"

    @property
    def maximize(self) -> bool:
        """Whether more of the metric is looked for."""
        return self.metric.higher_is_better == (self.settings.direction == "best")

    @property
    def maximize_figure(self) -> bool:
        """Whether a run with more of the figure goes on."""
        return (self.figure == "val_accuracy") == (self.settings.direction == "best")

    @property
    def prunes(self) -> bool:
        """Whether runs may be stopped early."""
        return self.settings.pruner != "none"


def read_search_plan(master: DictConfig, space: Space) -> SearchPlan:
    """The settings of a search, checked.

    Raises:
        SettingsError: One is wrong.
        SelectionError: There is no such metric.
        UsageError: The metric is not one of the validation split, or the space does not fit.
    """
    values: Any = OmegaConf.to_container(master.search, resolve=True)
    raise_for(nested_problems("search", values))
    settings = SearchSettings(**values)
    by = settings.by or str(master.objective)
    metric = resolve(by, "validation")
    if metric.split != "validation":
        key = "search.by" if settings.by else "objective"
        raise UsageError(
            f"{key}={by}: a search chooses by the validation split alone, so that the "
            "test split still says what the chosen network does on new images. Name a metric of "
            "it: search.by=accuracy, f1, f1_min or loss."
        )
    figure = "val_loss" if metric.name == "loss" else "val_accuracy"
    if settings.sampler != "grid" and "seed" in space.keys:
        raise UsageError(
            "seed: a search would choose the luckiest seed, not the best network. Search with one, "
            "then repeat the best networks with others; or search.sampler=grid, which takes all."
        )
    if settings.pruner == "hyperband" and "epochs" in space.keys:
        raise UsageError("search.pruner=hyperband needs one number of epochs for all runs.")
    runs = settings.runs or DEFAULT_RUNS
    if settings.sampler == "grid":
        space.points()
        size = int(space.size)
        if size > master.max_points:
            raise SettingsError(
                f"The grid has {size:,} points, more than max_points={master.max_points:,}. "
                f"Make it smaller, or allow it with max_points={size}."
            )
        runs = min(settings.runs or size, size)
    return SearchPlan(settings, metric, figure, runs)
