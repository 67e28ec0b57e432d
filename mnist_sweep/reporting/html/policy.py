"""The page's content security policy: its own scripts and styles by hash, and nothing else."""

from __future__ import annotations

import base64
import hashlib

_EMPTY_STYLE = ""
"""Plotly adds an empty style element and fills it by rule, which needs no more than this."""


def source_hash(text: str) -> str:
    """The source expression that admits exactly `text` (CSP Level 3, hash-source)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def content_security_policy(scripts: list[str], styles: list[str]) -> str:
    """The policy for a page with these inline scripts and styles, and images inside the page.

    No request leaves the page: `default-src 'none'` covers connections, fonts, frames and the
    rest. `blob:` is where a plot is drawn when its reader saves it as an image.
    """
    script = " ".join(source_hash(text) for text in scripts)
    style = " ".join(source_hash(text) for text in (*styles, _EMPTY_STYLE))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
