"""Titles, notices and notes of tables."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from mnist_sweep.command import command
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.numbers import PLUS_MINUS
from mnist_sweep.reporting.phrases.names import data_name

SHOWN_UNKNOWN = 3
ONE_RUN_EACH = "One run per configuration: a different seed could change the order."


def data_title(data: Iterable[tuple[str | None, str | None]]) -> str:
    """What runs were evaluated on, of (name, notice): 'bundled digits (NOT MNIST)'."""
    names = dict.fromkeys(data_name(name, notice) for name, notice in data if name)
    return " and ".join(names) or "unknown data (there are no records)"


def data_warning(name: str, notice: str, remedy: str = "") -> str:
    """What to know of the data, in a line where MNIST was not found."""
    # The notice itself may be of another machine; the command tells the reason on this one.
    if name == "digits":
        remedy = remedy or command("data", "mnist")
        return f"MNIST was not found. To download it, or to see the reason: {remedy}"
    return visible(notice)


def data_note(name: str, train: int, validation: int, test: int, source: str, sha256: str) -> str:
    """Where the numbers are from."""
    return visible(
        f"{name}: {train:,} training, {validation:,} validation and {test:,} test examples; "
        f"{source}; sha256 {sha256[:12]}"
    )


def hidden_note(ends: int, hidden: Sequence[str], total: int) -> str:
    """Which rows a shortened table leaves out, and how to see them."""
    counts = Counter(status for status in hidden if status != "finished")
    without = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    among = f" (among them {without})" if without else ""
    return (
        f"The first {ends} and the last {ends} of {total:,} rows in this order; "
        f"{len(hidden):,} are not shown{among}. The table command shows all rows with --all, fewer "
        "with --where, the best first with --sort test.accuracy,desc. Other formats, and output to "
        "a pipe, have all rows."
    )


def not_shown(count: int, what: str, directories: Sequence[str]) -> str:
    """How many of very many a list leaves out, and the command that shows them all."""
    everything = shlex.join(["mnist-sweep", "table", "--all", *directories])
    return visible(f"{count:,} more {what} are not shown. To list them all: {everything}")


def no_intervals_note(configurations: int, most: int) -> str:
    """Why very many configurations have no intervals, and how to get them."""
    return (
        f"No intervals: they need the predictions of every run, and {configurations:,} "
        f"configurations are more than {most}. The table command computes them with --intervals; "
        "--where selects fewer configurations."
    )


def repeats_notes(
    repeats: Sequence[int], unknown: Sequence[tuple[str, str]], level: float
) -> list[str]:
    """What a mean, a standard deviation and an interval mean here, and where there are none."""
    notes = [f"Mean {PLUS_MINUS} standard deviation over seeds; best and worst refer to the mean."]
    if any(count > 1 for count in repeats):
        notes.append(
            f"{100 * level:g} % intervals of the mean cover other examples and other seeds."
        )
    if 1 in repeats:
        notes.append(
            "The interval of a single run covers test examples, not seeds: the result of a "
            "different seed could lie outside it."
        )
    shown, more = unknown[:SHOWN_UNKNOWN], len(unknown) - SHOWN_UNKNOWN
    notes += [f"No intervals for {visible(label)}: {visible(why)}" for label, why in shown]
    return notes + ([f"No intervals for {more} more configurations."] if more > 0 else [])


def table_titles(
    sets: Sequence[tuple[str | None, str | None]],
    *,
    are_means: bool,
    tasks: Sequence[str] = (),
    word: str = "class",
) -> dict[str, str]:
    """The titles of the default tables, by name."""
    means = ", means over runs" if are_means else ""
    known = any(name for name, _ in sets)
    data = data_title(sets) if known or not tasks else " and ".join(tasks)
    titles = {
        "performance": f"Time and metrics of {' and '.join(tasks)}"
        if tasks
        else f"Time, loss and accuracy on {data}, training and test split",
        "scores": f"F1, precision and recall on {data}, test split, macro averages",
        "f1_by_class": f"F1 by {word} on {data}, test split",
        "columns": f"Selected columns, {data}",
    }
    return {name: visible(title + means) for name, title in titles.items()}
