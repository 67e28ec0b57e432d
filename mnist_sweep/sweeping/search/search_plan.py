"""What a search is to do: its settings, checked against its space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.metrics import Metric, declared, resolve
from mnist_sweep.settings import SearchSettings, is_task, nested_problems
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.search.space import Space

DEFAULT_RUNS = 20


@dataclass(frozen=True)
class SearchPlan:
    """What a search is to do: its settings, and what follows from them.

    Attributes:
        by: The metric as it may be named again, with its direction where the registry lacks it.
        maximize: Whether more of the metric is looked for.
        runs: How many runs there are to be in the end.
        figures: Of the history, by the first of which that there is it prunes.
        maximize_figure: Whether a run with more of the figure goes on.
    """

    settings: SearchSettings
    metric: Metric
    by: str
    maximize: bool
    runs: int
    figures: tuple[str, ...]
    maximize_figure: bool

    def figure_of(self, figures: Mapping[str, Any]) -> Any:
        """What a run is judged by of the history or of one epoch of it; None if it has no such."""
        found = (figures.get(name) for name in self.figures)
        return next((one for one in found if one not in (None, [])), None)

    @property
    def prunes(self) -> bool:
        """Whether runs may be stopped early."""
        return self.settings.pruner != "none"


def read_search_plan(master: DictConfig, space: Space) -> SearchPlan:
    """The settings of a search, checked."""
    values: Any = OmegaConf.to_container(master.search, resolve=True)
    raise_for(nested_problems("search", values))
    settings = SearchSettings(**values)
    by, task = settings.by or str(master.objective), is_task(space.ends[0])
    by = declared(by) if task else by
    metric = resolve(by, "validation")
    if metric.split != "validation":
        key = "search.by" if settings.by else "objective"
        raise UsageError(
            f"{key}={by}: a search chooses by the validation split alone, so that the "
            "test split still says what the chosen network does on new images. Name a metric of "
            "it: search.by=accuracy, f1, f1_min or loss."
        )
    if settings.sampler != "grid" and "seed" in space.keys:
        raise UsageError(
            "seed: a search would choose the luckiest seed, not the best network. Search with one, "
            "then repeat the best networks with others; or search.sampler=grid, which takes all."
        )
    if settings.pruner == "hyperband" and {"epochs", "task.epochs"} & set(space.keys):
        raise UsageError("search.pruner=hyperband needs one number of epochs for all runs.")
    # Of a network Keras gives only two figures after each epoch.
    figures: tuple[str, ...] = ("val_loss" if metric.name == "loss" else "val_accuracy",)
    higher = metric.name != "loss"
    if task:
        figures = (f"val_{metric.name}", f"validation.{metric.name}", metric.name)
        higher = metric.higher_is_better
    best = settings.direction == "best"
    return SearchPlan(
        settings, metric, by if task else metric.name, metric.higher_is_better == best,
        _runs(settings, master, space), figures, higher == best,
    )  # fmt: skip


def _runs(settings: SearchSettings, master: DictConfig, space: Space) -> int:
    if settings.sampler != "grid":
        return settings.runs or DEFAULT_RUNS
    space.points()  # refuses intervals
    size = int(space.size)
    if size > master.max_points:
        raise SettingsError(
            f"The grid has {size:,} points, more than max_points={master.max_points:,}. "
            f"Make it smaller, or allow it with max_points={size}."
        )
    return min(settings.runs or size, size)
