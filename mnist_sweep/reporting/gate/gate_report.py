"""The gate's result as text, Markdown for a job's summary, JSON, and JUnit for CI services."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mnist_sweep.analysis.gate import SHOWN_METRIC, mean_of
from mnist_sweep.errors import harmless
from mnist_sweep.reporting.escape import markdown, visible
from mnist_sweep.reporting.gate.phrases import changes_text, headline, moved, notes, sentence, title
from mnist_sweep.reporting.tables.render.md import grid
from mnist_sweep.safe_files import json_text, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mnist_sweep.analysis.gate import BaselinePair, Check, GateResult

SCHEMA_VERSION = 1
# Characters that XML 1.0 cannot hold, not even escaped (section 2.2).
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(result: GateResult) -> str:
    """Failures first, each with its reason, then what held."""
    lines = [headline(result)]
    for check in _ordered(result):
        place = f" ({check.configuration})" if check.configuration else ""
        line = visible(f"{title(check)}{place}: {sentence(check)}")
        lines.append(f"  {'ok  ' if check.passed else 'FAIL'}  {line}")
    lines += [f"Note: {visible(note)}" for note in notes(result)]
    return "\n".join(lines) + "\n"


def summary(result: GateResult) -> str:
    """Markdown for the summary of a CI job."""
    sign = "✅" if result.passed else "❌"
    blocks = [f"### {sign} mnist-sweep check", markdown(headline(result))]
    rows = []
    for one in _ordered(result):
        texts = (title(one), one.configuration, sentence(one))
        rows.append(("✅" if one.passed else "❌", *map(markdown, texts)))
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
    return json_text(plain(value)) + "\n"


def junit(result: GateResult) -> str:
    """One test suite; every check is a test case."""
    counts = {"tests": str(len(result.checks)), "failures": str(len(result.failures))}
    about = {"name": "mnist-sweep check", **counts, "errors": "0", "skipped": "0"}
    root = Element("testsuites", about)
    suite = SubElement(root, "testsuite", about)
    for check in result.checks:
        found = _xml(sentence(check))
        place = f" [{check.configuration}]" if check.configuration else ""
        # CI services group cases by classname and want a time.
        name = {"classname": "mnist_sweep.check", "name": _xml(title(check) + place), "time": "0"}
        case = SubElement(suite, "testcase", name)
        if check.passed:
            SubElement(case, "system-out").text = found
        else:
            SubElement(case, "failure", message=found, type="check").text = found
    SubElement(suite, "system-out").text = _xml("\n".join(notes(result)))
    indent(root, "")  # a case on each line, for whoever reads the file
    return f"{tostring(root, 'utf-8', xml_declaration=True).decode()}\n"


def baseline_changes(pairs: Sequence[BaselinePair], runs: pd.DataFrame) -> str:
    """What another baseline, of `runs`, changes: a line for each configuration."""
    lines = []
    taken: set[str] = set()
    for pair in pairs:
        taken |= set() if pair.sweep is None else set(pair.sweep["configuration_id"])
        means = [mean_of(own, SHOWN_METRIC) for own in (pair.baseline, pair.sweep)]
        # A configuration whose settings changed is one, not one removed and one added.
        n_runs = (len(pair.baseline), 0 if pair.sweep is None else len(pair.sweep))
        words = [f"{SHOWN_METRIC} {moved(*means)}" if pair.sweep is not None else "removed"]
        if n_runs[0] != n_runs[1]:
            words.append(f"runs {n_runs[0]} -> {n_runs[1]}")
        if pair.changed:
            words.insert(0, changes_text(pair.changed))
        lines.append(f"  {pair.label}: {', '.join(words)}")
    new = runs[~runs["configuration_id"].isin([*taken])]
    for label, own in new.groupby("label", sort=False):
        lines.append(f"  {label}: added, {SHOWN_METRIC} {moved(None, mean_of(own, SHOWN_METRIC))}")
    return "\n".join(["Changes of the baseline:", *map(visible, lines)])


# Format -> what writes it, ending with a line break.
FORMATS = {"text": text, "json": as_json, "junit": junit}


def _ordered(result: GateResult) -> list[Check]:
    return sorted(result.checks, key=lambda check: check.passed)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", harmless(text))
