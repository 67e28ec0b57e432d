"""What the report's page and figures say beside names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases.names import setting_title

# Name of a plot -> its title, and what it shows in a sentence.
PLOTS = {
    "history": ("Optimisation history", "The {by} of each run in order, and the best so far."),
    "learning-curves": ("Learning curves", "Solid: validation. Dashed: training."),
    "accuracy-against-cost": ("Accuracy and cost", "Better networks are at the top left."),
    "importance": (
        "Which settings matter",
        "Share of the variance of {by} that each setting alone explains, with 95 % intervals.",
    ),
    "effects": ("Single settings", "Dots: {by} of each configuration. Line: mean."),
    "parallel-coordinates": (
        "Settings and results",
        "One line per configuration. The more intense the line, the better its {by}.",
    ),
    "spread": ("Variation between seeds", "Dots: runs of a configuration. Orange: their mean."),
}
FIGURES = {
    "confusion": "Confusion matrix: {name} ({data}, test split)",
    "difference": "Confusion difference: {best} minus {worst} ({data}, test split)",
    "f1-by-digit": "F1 by class: {data}, test split",
    "gallery": "Test images that most of {runs} runs get wrong: {data}",
}
TRUE, PREDICTED = "True class", "Predicted class"
MAX_VALUE = 300

_ENVIRONMENT = {
    "python": "Python", "tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy",
    "hydra": "Hydra", "mnist_sweep": "mnist-sweep", "git_sha": "Commit",
    "git_dirty": "Uncommitted changes", "cpu": "Processor", "threads": "Threads of a run",
    "workers": "Worker processes", "device": "Device", "peak_memory_mb": "Peak memory [MB]",
    "started_at": "Started",
}  # fmt: skip


def confusion_note(runs: int, largest: float) -> str:
    """How a confusion matrix is to be read; `largest` is the largest share confused."""
    added = f", {runs} runs added" if runs > 1 else ""
    return (
        f"Count, and share of the true class [%]{added}. Blue: correct. Orange: misread, up to "
        f"{100 * largest:.2f} % (darkest)."
    )


def difference_note(first: str, second: str) -> str:
    """How the difference of two confusion matrices is to be read."""
    return (
        f"Examples per run: {second} minus {first}. Orange: {second} is worse there. Blue: it is "
        "better."
    )


def mistaken(true: int, predicted: Sequence[tuple[int, int]], wrong: int, runs: int) -> str:
    """'9 misread as 4, 7' and by how many runs, in two lines."""
    others = ", ".join(str(label) for label, _ in predicted[:3])
    return f"{true} misread as {others}\n{wrong} of {runs} wrong"


def environment_fact(name: str, values: Sequence[Any]) -> tuple[str, str]:
    """A fact and its values over all runs: ('Peak memory [MB]', '512 to 640')."""
    title = _ENVIRONMENT.get(name, name.replace("_", " ").capitalize())
    if name == "started_at":
        return title, " to ".join(dict.fromkeys(map(date, (min(values), max(values)))))
    if name == "git_sha":
        values = [str(value)[:12] for value in values]
    if all(isinstance(value, bool) for value in values):
        values = ["yes" if value else "no" for value in values]
    elif len(values) > 2 and all(isinstance(value, (int, float)) for value in values):
        return title, " to ".join(f"{end(values):,.0f}" for end in (min, max))
    elif all(isinstance(value, float) for value in values):
        values = [f"{value:,.0f}" for value in values]
    return title, shortened(", ".join(map(setting, values)), MAX_VALUE)


def setting_name(name: str) -> str:
    """A setting as a heading, also one of the user's own: 'Learning rate', 'Task, lr'."""
    title = setting_title(name)
    if title == name:  # not one of this program's
        words = name.replace("_", " ").replace(".", ", ").strip()
        title = words[:1].upper() + words[1:]
    return visible(title)


def date(at: str) -> str:
    """'2026-01-02 03:04 UTC', or the text itself if it is no time."""
    try:
        return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return visible(at)
