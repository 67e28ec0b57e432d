"""The pages as HTML, and what is pushed to a page that is open."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mnist_sweep.command import command
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.html.contents import facts
from mnist_sweep.reporting.html.embed import json_text, templates
from mnist_sweep.reporting.phrases.values import counted
from mnist_sweep.reporting.tables.render import csv
from mnist_sweep.ui.sweeps import Results, State, best, find, loaded, results, state_of
from mnist_sweep.ui.table import merged

if TYPE_CHECKING:
    from jinja2 import Environment

# How long one look at the list reads sweeps that it has not read yet; the next goes on.
LOAD_S = 0.5
# Finished configurations whose learning curves stand beside those of running runs.
MAX_CURVES = 6
MAX_ROWS = 200
MAX_PROBLEMS = 20


def home(root: Path) -> str:
    """The list of sweeps."""
    return render("sweeps", root=root, title=root.name, **_list(root))


def home_events(root: Path) -> str:
    """The parts of the list that change, as JSON."""
    return _parts(_list(root), "list")


def sweep(root: Path, directory: Path) -> str:
    """A sweep's page."""
    others = [_link(root, other) for other in find(root) if other != directory]
    return render("sweep", root=root, others=others, **_sweep(root, directory))


def sweep_events(root: Path, directory: Path) -> str:
    """The parts of a sweep's page that change and its curves, as JSON."""
    values = _sweep(root, directory)
    return _parts(values, "state", "results", curves=values["curves"])


def table(root: Path, directories: Sequence[Path], *, runs: bool) -> str:
    """One table of the runs of some sweeps, of all where none are named."""
    # Taken first: what changes meanwhile makes the page reload.
    stamp = _stamp(root, directories)
    sweeps, problems = _loaded(root, directories)
    found = merged(root, sweeps, runs=runs)
    query = [("of", _link(root, directory)[1]) for directory in directories]
    as_runs = [*query, ("runs", "1")]
    return render(
        "merged",
        root=root,
        names=[_link(root, one.directory) for one in sweeps.values()],
        found=found,
        problems=problems[:MAX_PROBLEMS],
        runs=runs,
        stamp=stamp,
        title="Runs" if directories else "Runs of all sweeps",
        has_switch=runs or (found and found.has_repeats),
        query=urlencode(query),
        other=urlencode(query if runs else as_runs),
        csv=urlencode([*(as_runs if runs else query), ("csv", "1")]),
    )


def table_csv(root: Path, directories: Sequence[Path], *, runs: bool) -> str:
    """The same as CSV: values in full, without units."""
    found = merged(root, _loaded(root, directories)[0], runs=runs)
    return csv.render([found.table]) if found else ""


def _loaded(root: Path, directories: Sequence[Path]) -> tuple[dict[str, Sweep], list[str]]:
    """Sweeps by the name that is shown, and what could not be read."""
    sweeps, problems = dict[str, Sweep](), list[str]()
    for directory in directories or find(root):
        try:
            one = loaded(directory, state_of(directory).signature)
        except MnistSweepError as error:
            problems.append(str(error))
            continue
        sweeps[_link(root, directory)[0]] = one
        problems += map(str, one.problems)
    return sweeps, problems


def table_events(root: Path, directories: Sequence[Path]) -> str:
    """What changes when the table of some sweeps does, as JSON."""
    return json_text({"parts": {}, "stamp": _stamp(root, directories)})


def _stamp(root: Path, directories: Sequence[Path]) -> str:
    found: list[tuple[str, int, int]] = []
    for directory in directories or find(root):
        with suppress(MnistSweepError, OSError):
            found += state_of(directory).signature
    return f"{hash(tuple(found)):x}"


def _list(root: Path) -> dict[str, Any]:
    states = []
    for directory in find(root):
        with suppress(MnistSweepError, OSError):  # removed in this moment
            states.append(state_of(directory))
    states.sort(key=lambda state: -state.changed_s)
    until = time.monotonic() + LOAD_S
    rows = []
    for state in states:
        # Hundreds of unread sweeps would keep the page waiting.
        is_late = time.monotonic() > until
        found = None if is_late else best(state.directory, state.signature)
        rows.append((_link(root, state.directory), state, found))
    example = command("-m", "layers=1,2", "nodes=100,300", "name=grid")
    return {"rows": rows, "now": time.time(), "example": example}


def _link(root: Path, directory: Path) -> tuple[str, str]:
    """The name of a sweep and its path below `root`."""
    path = directory.relative_to(root).as_posix()
    return visible(root.name if path == "." else path), "" if path == "." else path


def _sweep(root: Path, directory: Path) -> dict[str, Any]:
    state = state_of(directory)
    found = results(directory, state.signature)
    frame = found.sweep.frame
    others = frame[frame["status"] != RunStatus.FINISHED] if len(frame) else frame
    reasons = others.reindex(columns=["label", "status", "error.message"]).fillna("")
    name, path = _link(root, directory)
    return {
        "title": name,
        "path": path,
        "state": state,
        "ranking": found.ranking,
        "shown": found.ranking.rows[:MAX_ROWS],
        "unfinished": [*reasons.itertuples(index=False, name=None)][:MAX_PROBLEMS],
        "problems": found.sweep.problems[:MAX_PROBLEMS],
        "resume": command("resume", shlex.quote(visible(str(directory.absolute())))),
        "facts": facts([found.sweep], frame, found.configurations),
        "has_report": SweepPaths(directory).report.is_file(),
        "curves": _curves(state, found),
    }


def _curves(state: State, found: Results) -> list[dict[str, Any]]:
    """Learning curves of the runs under way, then of the best configurations' first runs."""
    curves = [
        {
            "name": visible(one.label),
            "running": True,
            "figures": {name: [*own.items()] for name, own in one.progress.figures.items()},
        }
        for one in state.active
        if one.progress.epoch and (one.is_running or not state.running)
    ]
    for row in found.ranking.rows[:MAX_CURVES]:
        try:
            run_id = found.configurations[row.place].run_ids[0]
            history = found.sweep.record(run_id).history.model_dump()
        except MnistSweepError:
            continue  # removed in this moment
        figures = {name: [*enumerate(own, 1)] for name, own in history.items() if own}
        curves.append({"name": row.name, "running": False, "figures": figures})
    return curves


def _parts(values: dict[str, Any], *names: str, **more: Any) -> str:
    return json_text({"parts": {name: render(name, **values) for name in names}, **more})


def render(name: str, **values: Any) -> str:
    """A page or a part of one, by its template's name."""
    return _templates().get_template(f"{name}.html.j2").render(values, ago=ago)


@cache  # open pages ask several times a second
def _templates() -> Environment:
    return templates("mnist_sweep.ui")


def ago(seconds: float) -> str:
    """'3 minutes ago'."""
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{counted(int(seconds // size), name)} ago"
    return "just now"


@cache
def static(name: str) -> bytes:
    """A file that pages load: `ui.css`, `ui.js`, `table.js` or `plotly.js`."""
    if name == "plotly.js":
        from plotly.offline import get_plotlyjs

        return str(get_plotlyjs()).encode()
    own = resources.files("mnist_sweep.ui") / "static"
    report = resources.files("mnist_sweep.reporting.html") / "static"
    parts = {
        "ui.css": (report / "report.css", own / "ui.css"),
        "ui.js": (own / "ui.js",),
        # The report's sorting and filtering, in a scope of its own as there.
        "table.js": (report / "core.js", report / "tables.js", own / "table.js"),
    }
    text = b"".join(part.read_bytes() for part in parts[name])
    return text if name != "table.js" else b'"use strict";\n(() => {\n%s})();\n' % text
