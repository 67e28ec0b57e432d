"""The gate's result for people: text, Markdown for a job's summary, and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mnist_sweep.records.strict_json import plain
from mnist_sweep.reporting.escape import markdown, visible
from mnist_sweep.reporting.gate.junit import junit
from mnist_sweep.reporting.gate.phrases import headline, notes, sentence, title
from mnist_sweep.reporting.tables.render.md import grid

if TYPE_CHECKING:
    from mnist_sweep.analysis.gate import Check, GateResult

SCHEMA_VERSION = 1


def text(result: GateResult) -> str:
    """Failures first, each with its reason, then what held."""
    lines = [headline(result)]
    lines += [f"  {'ok  ' if one.passed else 'FAIL'}  {_line(one)}" for one in _ordered(result)]
    lines += [f"Note: {visible(note)}" for note in notes(result)]
    return "\n".join(lines) + "\n"


def summary(result: GateResult) -> str:
    """Markdown for the summary of a CI job."""
    sign = "✅" if result.passed else "❌"
    blocks = [f"### {sign} mnist-sweep check", markdown(headline(result))]
    rows = [
        (
            "✅" if one.passed else "❌",
            *map(markdown, (title(one), one.configuration, sentence(one))),
        )
        for one in _ordered(result)
    ]
    blocks.append(grid(("", "check", "configuration", "found"), rows, [False] * 4))
    blocks += [f"> {markdown(note)}" for note in notes(result)]
    return "\n\n".join(blocks) + "\n"


def as_json(result: GateResult) -> str:
    """Strict JSON with every check, its fields and its sentence."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "passed": result.passed,
        "headline": headline(result),
        "findings": [
            {**asdict(one), "rule": title(one), "passed": one.passed, "sentence": sentence(one)}
            for one in result.checks
        ],
        "notes": notes(result),
    }
    return json.dumps(plain(value), allow_nan=False, ensure_ascii=False, indent=1) + "\n"


FORMATS = {"text": text, "json": as_json, "junit": junit}
"""Format -> what writes it, ending with a line break."""


def _ordered(result: GateResult) -> list[Check]:
    return sorted(result.checks, key=lambda check: check.passed)


def _line(check: Check) -> str:
    place = f" ({check.configuration})" if check.configuration else ""
    return visible(f"{title(check)}{place}: {sentence(check)}")
