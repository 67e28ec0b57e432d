"""The server: which address leads to which page, who may ask, and what may be read.

Requests must name this host, so that a foreign page whose name was pointed at this machine (DNS
rebinding) gets nothing; no other site may read, embed or call a page. Paths are resolved first,
links too, and must lie in the directory; files must lie in a sweep.
"""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_sweep.analysis.compare import compare, load_side
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.reporting.comparison.render import html as comparison_html
from mnist_sweep.safe_files import content
from mnist_sweep.ui import pages
from mnist_sweep.ui.sweeps import is_shown, is_sweep, loaded, state_of

HOST = "127.0.0.1"
# Between two looks at a directory; longer where a look takes long.
POLL_S = 0.5
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
TYPES = {".css": "text/css", ".js": "text/javascript"}


def application(root: Path) -> Starlette:
    """The server's application for the sweeps below `root`."""
    site = _Site(root.resolve())
    return Starlette(
        routes=[
            Route("/", site.home),
            Route("/events", site.home_events),
            Route("/table", site.table),
            Route("/events-of-table", site.table_events),
            Route("/sweep/{path:path}", site.sweep),
            Route("/events/{path:path}", site.sweep_events),
            Route("/compare", site.comparison),
            Route("/files/{path:path}", site.file),
            Route("/static/{name}", _static),
        ],
        middleware=[
            Middleware(OwnPagesOnly),
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
        ],
        exception_handlers={HTTPException: site.trouble, MnistSweepError: site.trouble},
    )


class _Site:
    """What answers requests. Paths of an address are checked before anything is done with them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _below(self, request: Request) -> Path:
        return inside(self.root, request.path_params["path"])

    def _chosen(self, request: Request) -> list[Path]:
        """The sweeps that the address names, each once."""
        texts = request.query_params.getlist("of")
        found = [*dict.fromkeys(inside(self.root, text) for text in texts)]
        if not all(map(is_sweep, found)):
            raise HTTPException(404, NOTHING)
        return found

    def home(self, _: Request) -> Response:
        return HTMLResponse(pages.home(self.root))

    def home_events(self, _: Request) -> Response:
        return _pushed(partial(pages.home_events, self.root))

    def sweep(self, request: Request) -> Response:
        return HTMLResponse(pages.sweep(self.root, self._below(request)))

    def sweep_events(self, request: Request) -> Response:
        return _pushed(partial(pages.sweep_events, self.root, self._below(request)))

    def table(self, request: Request) -> Response:
        chosen, is_runs = self._chosen(request), "runs" in request.query_params
        if "csv" in request.query_params:
            text = pages.table_csv(self.root, chosen, runs=is_runs)
            headers = {"content-disposition": 'attachment; filename="runs.csv"'}
            return Response(text, media_type="text/csv", headers=headers)
        return HTMLResponse(pages.table(self.root, chosen, runs=is_runs))

    def table_events(self, request: Request) -> Response:
        return _pushed(partial(pages.table_events, self.root, self._chosen(request)))

    def comparison(self, request: Request) -> Response:
        chosen = self._chosen(request)
        if len(chosen) < 2:
            raise HTTPException(400, "Select at least two sweeps to compare.")
        sides = [load_side(one, loaded=loaded(one, state_of(one).signature)) for one in chosen]
        return HTMLResponse(comparison_html(compare(sides), home="/"))

    def file(self, request: Request) -> Response:
        return file(self.root, self._below(request))

    def trouble(self, _: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            error = HTTPException(404, str(error))
        text = pages.render("trouble", root=self.root, title="Not found", text=error.detail)
        return HTMLResponse(text, error.status_code, error.headers)


def serve(root: Path, port: int, started: Callable[[str], None]) -> None:
    """Serve until interrupted."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            listener.bind((HOST, 0))
        listener.listen()
        started(f"http://{HOST}:{listener.getsockname()[1]}/")
        config = uvicorn.Config(
            application(root),
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        return Response(pages.static(name), media_type=TYPES[Path(name).suffix])
    except KeyError:
        raise HTTPException(404) from None


def _pushed(look: Callable[[], str]) -> Response:
    """Server-sent events: what `look` returns, whenever that has changed."""

    async def changes() -> AsyncIterator[str]:
        before = ""
        while True:
            began = time.monotonic()
            try:
                now = await anyio.to_thread.run_sync(look)
            except MnistSweepError:
                now = before  # the directory is being moved or removed
            yield ": \n\n" if now == before else f"data: {now}\n\n"
            before = now
            await anyio.sleep(max(POLL_S, 10 * (time.monotonic() - began)))

    return StreamingResponse(changes(), media_type="text/event-stream")


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
