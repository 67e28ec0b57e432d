"""What stands inside the page: JSON, images, Plotly's library, and the policy that admits them."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from mnist_sweep.safe_files import plain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
_EMPTY_STYLE = ""
"""Plotly adds an empty style element and fills it by rule, which needs no more than this."""


def json_text(value: Any) -> str:
    """Strict JSON for a script element: no character in it can be taken for markup."""
    text = json.dumps(plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def data_uri(content: bytes, kind: str) -> str:
    """A file inside the page; `kind` is `png` or `svg+xml`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def png_uri(image: NDArray[np.uint8], scale: float) -> str:
    """One image as a data URI, dark ink on white.

    Args:
        image: (height, width) uint8, 0 is paper.
        scale: The value that is full ink.
    """
    import numpy as np
    from PIL import Image

    ink = np.clip(image.squeeze().astype(np.float64) / (scale or 255.0), 0, 1)
    stream = BytesIO()
    grey = np.round(255 * (1 - ink)).astype(np.uint8)
    Image.fromarray(grey).save(stream, format="PNG", optimize=True)
    return data_uri(stream.getvalue(), "png")


def rounded(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """Floats for a plot: rounded to `digits` significant digits, None where not finite."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in map(float, values)]


@cache
def library() -> tuple[str, str]:
    """Plotly's library: its source, and the same packed (zlib, base64), 2 MB instead of 4.8.

    The page's script unpacks the text and adds it as an inline script, which the content security
    policy admits by the hash of the very text; nothing is evaluated.
    """
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source, base64.b64encode(zlib.compress(source.encode("utf-8"), 6)).decode("ascii")


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
