"""The gate's result as JUnit XML, which CI services show as tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from mnist_sweep.reporting.gate.phrases import notes, sentence, title

if TYPE_CHECKING:
    from mnist_sweep.analysis.gate import Check, GateResult

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped (section 2.2)."""


def junit(result: GateResult) -> str:
    """One test suite; every check is a test case."""
    counts = (
        f'tests="{len(result.checks)}" failures="{len(result.failures)}" errors="0" skipped="0"'
    )
    cases = "\n".join(map(_case, result.checks))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<testsuites name="mnist-sweep check" {counts}>\n'
        f'<testsuite name="mnist-sweep check" {counts}>\n{cases}\n'
        f"<system-out>{escape(_xml(chr(10).join(notes(result))))}</system-out>\n"
        "</testsuite>\n</testsuites>\n"
    )


def _case(check: Check) -> str:
    found = _xml(sentence(check))
    name = f"{title(check)} [{check.configuration}]" if check.configuration else title(check)
    head = f'<testcase classname="mnist_sweep.check" name={quoteattr(_xml(name))} time="0"'
    if check.passed:
        return f"{head}><system-out>{escape(found)}</system-out></testcase>"
    return (
        f'{head}><failure message={quoteattr(found)} type="check">'
        f"{escape(found)}</failure></testcase>"
    )


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
