"""The gate's judgement as JUnit XML, which CI services show as tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from mnist_sweep.analysis.gate import Finding, Judgement

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2)."""


def junit(judgement: Judgement) -> str:
    """One test suite; every rule on every configuration is a test case."""
    failed = len(judgement.failures)
    counts = f'tests="{len(judgement.findings)}" failures="{failed}" errors="0" skipped="0"'
    cases = "\n".join(map(_case, judgement.findings))
    notes = _text("\n".join(judgement.notes))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="mnist-sweep check" {counts}>\n'
        f'<testsuite name="mnist-sweep check" {counts}>\n{cases}\n'
        f"<system-out>{notes}</system-out>\n</testsuite>\n</testsuites>\n"
    )


def _case(finding: Finding) -> str:
    name = f"{finding.rule} [{finding.configuration}]" if finding.configuration else finding.rule
    head = f'<testcase classname="mnist_sweep.check" name={_attribute(name)} time="0"'
    if finding.passed:
        return f"{head}><system-out>{_text(finding.sentence)}</system-out></testcase>"
    return (
        f'{head}><failure message={_attribute(finding.sentence)} type="check">'
        f"{_text(finding.sentence)}</failure></testcase>"
    )


def _text(value: str) -> str:
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value))


def _attribute(value: str) -> str:
    return quoteattr(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value))
