"""What the classes of some runs' data are called."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import read_record
from mnist_sweep.reporting.phrases.names import class_name, class_word

if TYPE_CHECKING:
    import pandas as pd


class Classes(NamedTuple):
    """'digit' or 'class', and the names by label; numbers where the data have no names."""

    word: str = "class"
    names: tuple[str, ...] = ()

    def name(self, label: int | str) -> str:
        """What the class of a label is called."""
        place = int(label)
        return self.names[place] if place < len(self.names) else str(label)


NUMBERED = Classes()


def classes_of(runs: pd.DataFrame) -> Classes:
    """What the classes of these runs' data are called; numbers if the datasets disagree."""
    if "dataset.sha256" not in runs:
        return NUMBERED
    once = runs.dropna(subset=["dataset.sha256"]).drop_duplicates("dataset.sha256")
    words = {class_word(name) for name in once["dataset.name"]}
    names = set()
    for directory in once["directory"]:
        with suppress(DirectoryError):  # the table has what is known of a run whose record is gone
            data = read_record(RunPaths(directory).record).data
            names.add(tuple(class_name(data, label) for label in range(data.classes)))
    return Classes(
        words.pop() if len(words) == 1 else "class", names.pop() if len(names) == 1 else ()
    )
