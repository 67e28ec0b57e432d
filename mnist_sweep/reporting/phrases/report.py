"""What the report's page and figures say beside names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import count, duration, setting
from mnist_sweep.reporting.phrases.tables import ONE_RUN_EACH, not_shown  # noqa: F401  (the template calls it)

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
_SETTINGS = {
    "model._target_": "Network's function", "data._target_": "Data's function",
    "trainer.name": "Trainer", "data.name": "Data", "model": "Network",
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
    """A setting as people say it: 'Early stopping, min delta'."""
    words = name.replace("_", " ").replace(".", ", ").strip()
    return visible(_SETTINGS.get(name, words[:1].upper() + words[1:]))


def date(at: str) -> str:
    """'2026-01-02 03:04 UTC', or the text itself if it is no time."""
    try:
        return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return visible(at)


def command(words: Sequence[str]) -> str:
    """The command of a sweep as it can be given again."""
    from shlex import join

    return visible(f"mnist-sweep -m {join(words)}")


def finished(done: int, total: int) -> str:
    """'5 of 5'."""
    return f"{count(done)} of {count(total)}"


def took(seconds: float) -> str:
    """How long the runs took, in words; a dash where it is not known."""
    return duration(seconds) if seconds else "—"


def network(name: str, runs: int) -> str:
    """A network in the switch of confusion matrices."""
    return f"{name} ({runs} runs added)" if runs > 1 else name


def answers(predicted: Sequence[tuple[int, int]]) -> str:
    """What a digit was taken for, most often first: '4', or '4 x3, 7 x1'."""
    several = len(predicted) > 1
    return ", ".join(
        f"{label} \N{MULTIPLICATION SIGN}{runs}" if several else str(label)
        for label, runs in predicted[:3]
    )


def not_here(sha256: str) -> str:
    """That test images are not on this machine."""
    return (
        "The test images are not on this machine. They are looked up in the cache of prepared data "
        f"by their content hash, {sha256[:12]}."
    )


def candidates(direction: str) -> str:
    """What a selection's details are called."""
    return f"How the {direction} was selected"


def ranking_note(has_repeats: bool, rows: int, top: int) -> str:  # noqa: FBT001
    """What the intervals of the ranked table are, and how far its order can be trusted."""
    few = f" Only the first {top} have intervals." if rows > top else ""
    if has_repeats:
        return f"Means over seeds, with 95 % intervals in small print.{few}"
    if rows > 1:
        return f"In small print: 95 % intervals over examples only.{few} {ONE_RUN_EACH}"
    return "In small print: 95 % interval over examples only."


def report_command(directories: Sequence[str]) -> str:
    """The command that writes the report again."""
    from shlex import join

    return visible(join(["mnist-sweep", "report", *directories]))
