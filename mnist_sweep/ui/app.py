"""The server: which address leads to which page, and the stream of events behind a page."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from mnist_sweep.analysis.compare import compare, load_side
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.reporting.comparison.render import html as comparison_html
from mnist_sweep.ui import pages
from mnist_sweep.ui.access import NOTHING, OwnPagesOnly, file, inside
from mnist_sweep.ui.sweeps import is_sweep, loaded, state_of

HOST = "127.0.0.1"
# Between two looks at a directory; longer where a look takes long.
POLL_S = 0.5
TYPES = {".css": "text/css", ".js": "text/javascript"}


def application(root: Path) -> Starlette:
    """The server's application for the sweeps below `root`."""
    routes = [
        Route("/", _home),
        Route("/events", _home_events),
        Route("/table", _table),
        Route("/events-of-table", _table_events),
        Route("/sweep/{path:path}", _sweep),
        Route("/events/{path:path}", _sweep_events),
        Route("/compare", _comparison),
        Route("/files/{path:path}", _file),
        Route("/static/{name}", _static),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    app = Starlette(
        routes=routes,
        middleware=[Middleware(OwnPagesOnly), hosts],
        exception_handlers={HTTPException: _trouble, MnistSweepError: _trouble},
    )
    app.state.root = root.resolve()
    return app


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
            application(root), log_level="error", access_log=False, lifespan="off", ws="none",
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])


def _root(request: Request) -> Path:
    root: Path = request.app.state.root
    return root


def _below(request: Request) -> Path:
    return inside(_root(request), request.path_params["path"])


def _home(request: Request) -> Response:
    return HTMLResponse(pages.home(_root(request)))


def _home_events(request: Request) -> Response:
    root = _root(request)
    return _pushed(lambda: pages.home_events(root))


def _sweep(request: Request) -> Response:
    return HTMLResponse(pages.sweep(_root(request), _below(request)))


def _sweep_events(request: Request) -> Response:
    root, directory = _root(request), _below(request)
    return _pushed(lambda: pages.sweep_events(root, directory))


def _chosen(request: Request) -> list[Path]:
    """The sweeps that the address names, each once."""
    texts = request.query_params.getlist("of")
    chosen = [*dict.fromkeys(inside(_root(request), text) for text in texts)]
    if not all(map(is_sweep, chosen)):
        raise HTTPException(404, NOTHING)
    return chosen


def _table(request: Request) -> Response:
    is_runs = "runs" in request.query_params
    if "csv" in request.query_params:
        text = pages.table_csv(_root(request), _chosen(request), runs=is_runs)
        headers = {"content-disposition": 'attachment; filename="runs.csv"'}
        return Response(text, media_type="text/csv", headers=headers)
    return HTMLResponse(pages.table(_root(request), _chosen(request), runs=is_runs))


def _table_events(request: Request) -> Response:
    root, chosen = _root(request), _chosen(request)
    return _pushed(lambda: pages.table_events(root, chosen))


def _comparison(request: Request) -> Response:
    chosen = _chosen(request)
    if len(chosen) < 2:
        raise HTTPException(400, "Select at least two sweeps to compare.")
    sides = [load_side(one, loaded=loaded(one, state_of(one).signature)) for one in chosen]
    return HTMLResponse(comparison_html(compare(sides), home="/"))


def _file(request: Request) -> Response:
    return file(_root(request), _below(request))


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    try:
        return Response(pages.static(name), media_type=TYPES[Path(name).suffix])
    except KeyError:
        raise HTTPException(404) from None


def _trouble(request: Request, error: Exception) -> Response:
    status, text, headers = 404, str(error), None
    if isinstance(error, HTTPException):
        status, text, headers = error.status_code, error.detail, error.headers
    return HTMLResponse(pages.trouble(_root(request), text), status, headers)


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
