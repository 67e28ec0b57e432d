"""A study in words: its stages, selections, decisions and conclusions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.reporting.escape import visible

if TYPE_CHECKING:
    from mnist_sweep.records.study_file import Stage, Study


def stage_lines(study: Study) -> list[tuple[str, str]]:
    """Of each stage a label and how far it is, with what decided its selection."""
    return [
        (
            f"Stage {number}",
            " ".join(filter(None, (f"{stage.name}: {_state(stage)}", _decided(stage)))),
        )
        for number, stage in enumerate(study.stages, 1)
    ]


def _decided(stage: Stage) -> str:
    """Whether the selection is decided, and what the further runs cost and saved."""
    decision = stage.decision
    if not decision:
        return ""
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
