"""A study in words: its stages, selections, decisions and conclusions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.phrases.selection import sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mnist_sweep.analysis.uncertainty import UncertainSelection
    from mnist_sweep.records.study_file import Stage, Study
    from mnist_sweep.reporting.phrases.conclusions import Conclusion
    from mnist_sweep.settings import Plain


def study_lines(study: Study, selections: Mapping[str, UncertainSelection]) -> list[str]:
    """The study's stages with what they selected.

    Args:
        study: The study.
        selections: By the stages' names, those that were made.
    """
    lines = []
    for number, stage in enumerate(study.stages, 1):
        lines.append(f"Stage {number} of {len(study.stages)}, {stage.name}: {_state(stage)}")
        if stage.decision:
            lines.append(decision_line(stage.decision))
        if stage.name in selections:
            lines += sentences(selections[stage.name])
        lines.append("")
    return lines


def conclusion_lines(concluded: Sequence[Conclusion]) -> list[str]:
    """Conclusions, each with how sure it is and what the published report says."""
    if not concluded:
        return []
    lines = ["Conclusions", ""]
    for number, conclusion in enumerate(concluded, 1):
        lines.append(f"{number}. {conclusion.text}")
        if conclusion.certainty:
            lines.append(f"   How sure: {conclusion.certainty}")
        if conclusion.reported:
            lines.append(f"   Reported: {conclusion.reported}")
    return [*lines, ""]


def decision_line(decision: Plain) -> str:
    """Whether a selection is decided, and what the further runs cost and saved."""
    count, equal, saved = decision["runs"], decision["equal_runs"], decision["saved_runs"]
    text = f"{decision['reason']} {count} runs were spent on the candidates"
    if not saved:
        return f"{text}, as many as equal repeats for all."
    were = "was" if saved == 1 else "were"
    return f"{text}; equal repeats for all would have taken {equal}, so {saved} {were} saved."


def _state(stage: Stage) -> str:
    runs = len(stage.run_ids) + len(stage.control_run_ids)
    count = "1 run" if runs == 1 else f"{runs} runs"
    told = f" {visible(stage.reason)}" if stage.reason else ""
    match stage.status:
        case "done":
            beside = len(stage.control_run_ids)
            changed = ", ".join(f"{key}={value}" for key, value in stage.params.items())
            fresh = (
                f", {len(stage.run_ids)} with {changed} and {beside} unchanged, on fresh seeds"
                if stage.of
                else ""
            )
            return f"{count}{visible(fresh)}.{told}"
        case "blocked":
            return f"BLOCKED.{told}"
        case "running":
            return f"interrupted, {count} planned.{told}"
        case _:
            return "not started."
