"""The gate's judgement for people: text, Markdown for a job's summary, and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mnist_sweep.reporting.escape import markdown, visible

if TYPE_CHECKING:
    from mnist_sweep.analysis.gate import Finding, Judgement

FORMATS = ("text", "json", "junit")
SCHEMA_VERSION = 1


def render(judgement: Judgement, format_name: str) -> str:
    """The judgement in one of `FORMATS`, ending with a line break."""
    if format_name == "json":
        return as_json(judgement)
    if format_name == "junit":
        from mnist_sweep.reporting.gate.junit import junit

        return junit(judgement)
    return text(judgement)


def headline(judgement: Judgement) -> str:
    """Pass or fail, how many rules held, and the smallest drop that would have been noticed."""
    count, failed = len(judgement.findings), len(judgement.failures)
    if judgement.passed:
        words = f"PASSED: all {count} checks hold."
    else:
        words = f"FAILED: {failed} of {count} check{'' if count == 1 else 's'}."
    return f"{words}{_sensitivity(judgement)}"


def text(judgement: Judgement) -> str:
    """Failures first, each with its reason, then what held."""
    lines = [headline(judgement)]
    ordered = sorted(judgement.findings, key=lambda finding: finding.passed)
    lines += [f"  {'ok  ' if one.passed else 'FAIL'}  {_line(one)}" for one in ordered]
    lines += [f"Note: {visible(note)}" for note in judgement.notes]
    return "\n".join(lines) + "\n"


def summary(judgement: Judgement) -> str:
    """Markdown for the summary of a CI job."""
    sign = "✅" if judgement.passed else "❌"
    blocks = [f"### {sign} mnist-sweep check", markdown(headline(judgement))]
    rows = [
        f"| {'✅' if one.passed else '❌'} | {markdown(one.rule)} | "
        f"{markdown(one.configuration)} | {markdown(one.sentence)} |"
        for one in sorted(judgement.findings, key=lambda finding: finding.passed)
    ]
    head = "| | check | configuration | found |\n|:---|:---|:---|:---|"
    blocks.append("\n".join([head, *rows]))
    blocks += [f"> {markdown(note)}" for note in judgement.notes]
    return "\n\n".join(blocks) + "\n"


def as_json(judgement: Judgement) -> str:
    """Strict JSON with every finding."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "passed": judgement.passed,
        "headline": headline(judgement),
        "findings": [asdict(finding) for finding in judgement.findings],
        "notes": list(judgement.notes),
    }
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def _line(finding: Finding) -> str:
    place = f" ({finding.configuration})" if finding.configuration else ""
    return visible(f"{finding.rule}{place}: {finding.sentence}")


def _sensitivity(judgement: Judgement) -> str:
    """The smallest noticeable drop of each metric, over its configurations."""
    smallest: dict[str, list[float]] = {}
    for one in judgement.findings:
        if one.noticeable is not None:
            smallest.setdefault(one.rule.partition(" ")[0], []).append(one.noticeable)
    words = [
        f"{metric} {min(drops):.4f}"
        + (f" to {max(drops):.4f}" if max(drops) - min(drops) >= 5e-5 else "")
        for metric, drops in smallest.items()
    ]
    if not words:
        return ""
    return f" Smallest drop it would notice (4 times in 5): {'; '.join(words)}."
