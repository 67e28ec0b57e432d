"""Data inside the page: JSON that cannot end its element, and images as data URIs."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def json_text(value: Any) -> str:
    """Strict JSON for a script element: no character in it can be taken for markup."""
    text = json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


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
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def rounded(values: Iterable[float], digits: int = 5) -> list[float | None]:
    """Floats for a plot: rounded to `digits` significant digits, None where not finite."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in map(float, values)]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value
