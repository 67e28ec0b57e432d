"""Who may ask, and what of the directory may be read.

Requests must name this host, so that a foreign page whose name was pointed at this machine (DNS
rebinding) gets nothing; no other site may read, embed or call a page. Paths are resolved first,
links too, and must lie in the directory; files must lie in a sweep.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.safe_files import content
from mnist_sweep.ui import pages
from mnist_sweep.ui.sweeps import is_shown, is_sweep

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 64 * 2**20
REPORT = SweepPaths("").report.name
TEXTS = (".json", ".jsonl", ".log", ".txt", ".md", ".csv", ".tex", ".yaml", ".yml")
IMAGES = {".png": "image/png", ".svg": "image/svg+xml"}
NOTHING = "There is nothing at this address."
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; style-src 'self' 'unsafe-inline'; "  # Plotly writes styles
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
# Whoever wrote the file: it gets an origin of its own, and its scripts may load nothing.
_FOUND = {
    "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
}


class OwnPagesOnly:
    """Adds headers that keep other sites out, and refuses what their scripts ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = dict(scope["headers"])
        is_foreign = headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
        if is_foreign and headers.get(b"sec-fetch-mode") != b"navigate":
            await PlainTextResponse("Request from another site.", 403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                message["headers"] += [
                    (name.encode(), value.encode())
                    for name, value in _HEADERS.items()
                    if name.encode() not in names
                ]
            await send(message)

        await self.app(scope, receive, with_headers)


def inside(root: Path, text: str) -> Path:
    """The path that `text` names below `root`."""
    try:
        path = (root / text).resolve(strict=True)
        parts = path.relative_to(root).parts
    except (OSError, ValueError):
        raise HTTPException(404, NOTHING) from None
    if any(part.startswith(".") for part in parts):
        raise HTTPException(404, NOTHING)
    return path


def file(root: Path, path: Path) -> Response:
    """A sweep's report, a text or a picture, or the list of a directory's files."""
    owners = [one for one in (path, *path.parents) if one.is_relative_to(root)]
    if not any(map(is_sweep, owners)):
        raise HTTPException(404, NOTHING)
    if path.is_dir():
        shown = sorted(one for one in path.iterdir() if _is_shown(one))
        names = [f"{one.name}{'/' * one.is_dir()}" for one in shown]
        title = path.relative_to(root).parts[-1]
        return HTMLResponse(pages.render("files", root=root, title=title, names=names))
    if not _is_shown(path):
        raise HTTPException(404, "Files of this kind are not shown.")
    try:
        read = content(path, MAX_BYTES)[0]
    except (OSError, ValueError) as error:
        raise HTTPException(404, f"This file cannot be shown: {error}.") from error
    if path.name == REPORT:
        return HTMLResponse(read, headers=_FOUND)
    if path.suffix in IMAGES:
        return Response(read, media_type=IMAGES[path.suffix], headers=_FOUND)
    return PlainTextResponse(read)


def _is_shown(path: Path) -> bool:
    is_known = path.suffix in (*TEXTS, *IMAGES) or path.name == REPORT
    return is_shown(path.name) and (is_known or path.is_dir())
