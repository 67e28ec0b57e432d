"""What a search is to do: its settings, checked against its space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.analysis.selection import Direction
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.metrics import Metric, declared, resolve
from mnist_sweep.settings import SearchSettings, is_task, nested_problems
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.search.space import Space

DEFAULT_RUNS = 20
_OF_KERAS = ("val_accuracy", "val_loss")


@dataclass(frozen=True)
class SearchPlan:
    """What a search is to do: its settings, and what follows from them.

    Attributes:
        settings: The `search` node.
        metric: By which it chooses.
        figures: Of the history, by the first of which that there is it prunes.
        by: The metric as it may be named again, with its direction where the registry lacks it.
        runs: How many runs there are to be in the end.
    """

    settings: SearchSettings
    metric: Metric
    figures: tuple[str, ...]
    runs: int
    by: str

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
        figure = self.figures[0]
        higher = figure == "val_accuracy" if figure in _OF_KERAS else self.metric.higher_is_better
        return higher == (self.settings.direction == "best")

    def figure_of(self, figures: Mapping[str, Any]) -> Any:
        """What a run is judged by of the history or of one epoch of it; None if it has no such."""
        found = (figures.get(name) for name in self.figures)
        return next((one for one in found if one not in (None, [])), None)

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
    task = is_task(space.ends[0][1])
    by = declared(by) if task else by
    metric = resolve(by, "validation")
    if metric.split != "validation":
        key = "search.by" if settings.by else "objective"
        raise UsageError(
            f"{key}={by}: a search chooses by the validation split alone, so that the "
            "test split still says what the chosen network does on new images. Name a metric of "
            "it: search.by=accuracy, f1, f1_min or loss."
        )
    figures: tuple[str, ...] = (_OF_KERAS[metric.name == "loss"],)
    if task:
        figures = (f"val_{metric.name}", f"validation.{metric.name}", metric.name)
    if settings.sampler != "grid" and "seed" in space.keys:
        raise UsageError(
            "seed: a search would choose the luckiest seed, not the best network. Search with one, "
            "then repeat the best networks with others; or search.sampler=grid, which takes all."
        )
    if settings.pruner == "hyperband" and {"epochs", "task.epochs"} & set(space.keys):
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
    return SearchPlan(settings, metric, figures, runs, by if task else metric.name)
