"""How pages are made, and what stands inside: data for Plotly, images, libraries, their hashes."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.errors import MnistSweepError, visible
from mnist_sweep.reporting.figures.plot import axis_title
from mnist_sweep.safe_files import plain

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(*packages: str) -> Environment:
    """The report's templates, after those of some packages; all that they show is escaped."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(package) for package in (*packages, "mnist_sweep.reporting.html")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "axis_title": axis_title,
        "base64": base64_text,
        "json": json_text,
        "png": png_uri,
        "source_hash": source_hash,
        "visible": visible,
    }
    return made


def static(name: str) -> str:
    """A style or script of the report."""
    try:
        return (Path(__file__).parent / "static" / name).read_text(encoding="utf-8")
    except OSError as error:
        raise MnistSweepError(
            f"The report's own file {name} cannot be read ({error.strerror}): the installation "
            "is damaged. Install mnist-sweep again."
        ) from error


def for_plotly(value: Any) -> Any:
    """A plot's description as plain values: numbers rounded, gaps null, no text as markup."""
    if isinstance(value, str):  # Plotly obeys a few tags in any text that it is given
        return html.escape(value, quote=False).replace("\n", "<br>")
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [*map(for_plotly, value)]
    if hasattr(value, "__dict__"):
        return {name: for_plotly(inner) for name, inner in vars(value).items()}
    return value


def json_text(value: Any) -> str:
    """Strict JSON for a script element: no character in it can be taken for markup."""
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(plain(value), allow_nan=False, separators=(",", ":"))


def png_uri(image: NDArray[np.uint8], scale: float) -> str:
    """One image, (height, width) uint8 from 0, paper, to `scale`, ink, as a data URI."""
    from PIL import Image

    ink = np.clip(image.squeeze().astype(np.float64) / (scale or 255.0), 0, 1)
    stream = BytesIO()
    grey = np.round(255 * (1 - ink)).astype(np.uint8)
    # Hundreds of them stand in a page.
    Image.fromarray(grey).save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64_text(stream.getvalue())}"


def base64_text(content: bytes) -> str:
    """Bytes as text that may stand anywhere in a page."""
    return base64.b64encode(content).decode("ascii")


@cache
def library() -> tuple[str, str]:
    """Plotly's library: its source, and the same packed (zlib, base64), 2 MB instead of 4.8."""
    # The page's script unpacks the text and adds it as an inline script, which the content security
    # policy admits by the hash of the very text; nothing is evaluated.
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return source, base64_text(zlib.compress(source.encode("utf-8"), 6))


def source_hash(text: str) -> str:
    """The source expression that admits exactly `text` (CSP Level 3, hash-source)."""
    return f"'sha256-{base64_text(hashlib.sha256(text.encode('utf-8')).digest())}'"
