"""The lines at a sweep's end: what is best, how certain that is, what a study's stages did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from mnist_sweep.analysis.answers import Standing
from mnist_sweep.analysis.importance import Importance
from mnist_sweep.analysis.selection import Selection
from mnist_sweep.analysis.statistics import Covers
from mnist_sweep.metrics import Metric
from mnist_sweep.records.study_file import Stage, Study
from mnist_sweep.records.table import RunsTable
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import class_name, class_word, network_name
from mnist_sweep.reporting.phrases.selection import chosen_name, differing
from mnist_sweep.reporting.phrases.values import amount, chance, counted, metric_title

GAP = "   "
# Places that a name has at least on a line of fixed width.
MIN_NAME = 20
MIN_SHARE = 0.01
MAX_SETTINGS = 3


def standing_line(standing: Standing, room: int | None = None) -> str:
    """'2 layers x 300 nodes   validation 98.13 %   test 97.97 % [97.68, 98.22]'.

    In less than `room` places words are shortened, what the table has too is left out, and then
    the name is cut: of the best one, which the table's first row names too, before its interval.
    """
    selection, metric = standing.found, standing.found.metric
    on_test, interval = standing.on_test, standing.interval
    name, chosen = chosen_name(selection), selection.chosen
    called = (metric.split or "") if metric.name == "accuracy" else metric_title(metric)
    value, on_class, spans, further = f"{called} {amount(metric, chosen.value)}", "", "", ""
    if metric.name == "f1_min" and selection.weakest:
        data = chosen.records[0].data
        on_class = f" ({class_word(data.name)} {class_name(data, selection.weakest[0].label)})"
    if interval is not None and on_test is not None:
        low, high = (written(end, on_test.format) for end in (interval.low, interval.high))
        spans = f" [{low}, {high}]"
    if metric != on_test and on_test is not None and standing.value is not None:
        further = f"{GAP}{on_test.split} {amount(on_test, standing.value)}"
    else:
        value, spans = value + spans, ""
    short = value.replace("validation ", "val ")
    # From the fullest to the shortest; the first that fits is taken.
    figures = [
        f"{value}{on_class}{further}{spans}",
        f"{value}{further}{spans}",
        f"{short}{further}{spans}",
        f"{short}{further}",
        short,
    ]
    names = [name]
    if selection.where:
        condition = visible(" and ".join(selection.where))
        count = len(selection.candidates)
        names = [f"{name}, of {count} with {condition}", f"{name}, of {condition}", name]
    lines = [f"{one}{GAP}{text}" for one in names for text in figures]
    if room is None:
        return lines[0]
    fitting = [line for line in lines if cell_len(line) <= room]
    if fitting and (selection.where or not spans or fitting[0].endswith(spans)):
        return fitting[0]
    least = min(cell_len(name), MIN_NAME)
    text = next((one for one in figures[2:] if cell_len(GAP + one) <= room - least), short)
    left = max(room - cell_len(GAP + text), MIN_NAME)
    # As many of the name's settings as fit, or the start of the first.
    parts = name.split(", ")
    cuts = [name, *(", ".join([*parts[:count], "…"]) for count in range(len(parts) - 1, 0, -1))]
    shown = next((cut for cut in cuts if cell_len(cut) <= left), shortened(name, left))
    return f"{shown}{GAP}{text}"


def certainty_line(found: Selection, study: Study | None = None) -> str:
    """How certain it is that the selected one is the best, in a sentence; empty if not known.

    Of a study it is the best of the stages that do not start from a selection, by their runs alone.
    """
    if len(found.candidates) == 1:
        return ""
    if found.ties:
        tied = f"{len(found.ties)} others"
        if len(found.ties) == 1:
            tied = network_name(found.ties[0].settings, differing(found))
        return f"Tied for {found.direction} with {tied}."
    if found.probability is None or found.covers == Covers.IMAGES:
        is_single = all(len(one.values) == 1 for one in found.candidates)
        return "One seed each: a different seed could change the order." if is_single else ""
    certain = f"{chance(found.probability)} that it is the {found.direction}"
    if study:
        stages = [stage.name for stage in study.stages if not stage.of]
        certain += f" of stage{'s' * (len(stages) > 1)} {visible(', '.join(stages))}"
    others = len(found.not_distinguishable)
    if not others:
        return f"{certain}; distinguishable from all others."
    return f"{certain}; not distinguishable from {counted(others, 'other')}."


def fallback_line(runs: RunsTable, room: int | None = None) -> str:
    """Which runs Keras's `fit` trained although a compiled program was asked for; empty if none."""
    keys = ["trainer.name", "training.form", "training.reason"]
    if not {*keys} <= {*runs}:
        return ""
    fell = runs[(runs[keys[0]] == "compiled") & (runs[keys[1]] == "fit")]
    if fell.empty:
        return ""
    reasons = fell[keys[2]].value_counts().index
    more = f" (and {counted(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
    start = f"Trained by Keras's slower fit: {len(fell)} of {counted(len(runs), 'run')}, since "
    why = visible(str(reasons[0]))
    if room is not None:
        why = shortened(why, max(room - len(start + more), MIN_NAME))
    return f"{start}{why}{more}"


def importance_line(found: Sequence[Importance], metric: Metric) -> str:
    """'nodes 62 %, dropout 20 % of the variance of validation accuracy'; empty if nothing does."""
    shown = [one for one in found if one.share >= MIN_SHARE][:MAX_SETTINGS]
    shares = ", ".join(f"{one.setting} {100 * one.share:.0f} %" for one in shown)
    return f"{shares} of the variance of {metric_title(metric)}" if shares else ""


def stage_lines(study: Study) -> list[tuple[str, str]]:
    """Of each stage a label and how far it is, with what decided its selection."""
    return [
        (f"Stage {number}", f"{stage.name}: {_state(stage)} {_decided(stage)}".rstrip())
        for number, stage in enumerate(study.stages, 1)
    ]


def _state(stage: Stage) -> str:
    beside = len(stage.control_run_ids)
    count = counted(len(stage.run_ids) + beside, "run")
    why = f" {visible(stage.reason)}" if stage.reason else ""
    match stage.status:
        case "done":
            fresh = ""
            if stage.of:
                changed = ", ".join(f"{key}={value}" for key, value in stage.params.items())
                fresh = f", {len(stage.run_ids)} with {changed} and {beside} unchanged"
                fresh = visible(f"{fresh}, on new seeds")
            return f"{count}{fresh}.{why}"
        case "blocked":
            return f"BLOCKED.{why}"
        case "running":
            return f"interrupted, {count} planned.{why}"
        case _:
            return "not started."


def _decided(stage: Stage) -> str:
    """Whether the selection is decided, and what the further runs cost and saved."""
    decision = stage.decision
    if not decision:
        return ""
    equal, saved = decision["equal_runs"], decision["saved_runs"]
    text = f"{_decision(decision)} {decision['runs']} runs were spent on the candidates"
    if not saved:
        return f"{text}, as many as with equal repeats for all."
    were = "was" if saved == 1 else "were"
    return f"{text}; equal repeats for all would have taken {equal}, so {saved} {were} saved."


def _decision(decision: dict[str, Any]) -> str:
    """Whether one configuration is left, and if not why no further runs were made."""
    if "reason" in decision:  # as earlier versions wrote it
        return str(decision["reason"])
    contend = f"{len(decision['contenders'])} configurations remain"
    repeats = decision["repeats"]
    match decision["state"]:
        case "decided" if not decision["eliminated"]:
            text = "There is only one configuration."
        case "decided":
            text = f"Decided after {repeats} repeats: only one configuration remains."
        case _ if decision["stopped"]:
            text = f"{contend}. {decision['stopped']}"
        case "spent":
            text = f"Not decided: {contend} after {repeats} repeats, the maximum."
        case _:
            text = f"{contend} and need more repeats."
    if decision["limited_by_images"]:
        text += " There are too few examples to distinguish them, however many repeats are made."
    return text
