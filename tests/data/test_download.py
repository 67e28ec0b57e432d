"""The download ends in time, says at once that there is no network, and leaves no partial file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.data import mnist, prepare
from mnist_sweep.data.mnist import ORIGIN, SHA256, download
from mnist_sweep.errors import DataError
from support.data_files import Bytes, write_npz

Settings = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[BaseHTTPRequestHandler], None]], None]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Replaces the server of the download by a local one that answers as the function does."""
    servers = []

    def start(answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        class Handler(BaseHTTPRequestHandler):
            do_GET = answer  # noqa: N815 (its base class's form)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(mnist, "ORIGIN", f"http://127.0.0.1:{server.server_port}/mnist.npz")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sends(content: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(length or len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def drips(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def test_a_network_that_refuses_is_told_at_once(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}/mnist.npz"
    monkeypatch.setattr(mnist, "ORIGIN", closed)
    with pytest.raises(DataError, match=r"mnist\.npz cannot be downloaded: .*refused"):
        download(environ, 30.0)
    assert not Path(environ["KERAS_HOME"]).exists()


def test_a_network_that_swallows_packets_is_given_up_in_time(
    environ: dict[str, str], data_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/mnist.npz"
        monkeypatch.setattr(mnist, "ORIGIN", address)
        info = prepare(data_settings(download_timeout_s=0.5), environ)
    assert info.name == "digits"
    assert info.notice is not None
    assert "the download (" in info.notice
    assert "timed out" in info.notice or "not finished after" in info.notice


def test_a_server_that_sends_too_slowly_is_given_up_in_time(
    environ: dict[str, str], serve: Serve
) -> None:
    serve(drips)
    with pytest.raises(DataError, match=r"not finished after data\.download_timeout_s=0\.4 sec"):
        download(environ, 0.4)


@pytest.mark.parametrize(
    ("content", "length"), [(b"half", 8), (b"", 8), (b"a page that asks for a login", None)]
)
def test_a_partial_or_other_file_is_refused_and_not_kept(
    environ: dict[str, str], serve: Serve, content: bytes, length: int | None
) -> None:
    serve(sends(content, length))
    with pytest.raises(DataError, match=r"not the expected file|cannot be downloaded"):
        download(environ, 30.0)
    assert not Path(environ["KERAS_HOME"]).exists()


def test_an_error_of_the_server_is_told(environ: dict[str, str], serve: Serve) -> None:
    serve(lambda handler: handler.send_error(404))
    with pytest.raises(DataError, match="cannot be downloaded: Not Found"):
        download(environ, 30.0)


@pytest.fixture
def served(
    tmp_path: Path, small: tuple[Bytes, ...], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    """Content that the server sends and the hash expects, though it is not MNIST."""
    content = write_npz(tmp_path / "made.npz", small).read_bytes()
    serve(sends(content))
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(content).hexdigest())
    return content


def test_a_finished_download_is_in_kerass_cache_and_other_content_is_not_taken_for_mnist(
    environ: dict[str, str], data_settings: Settings, served: bytes
) -> None:
    path = download(environ, 30.0)
    assert path == Path(environ["KERAS_HOME"]) / "datasets" / "mnist.npz"
    assert path.read_bytes() == served
    info = prepare(data_settings(download_timeout_s=30.0), environ)
    assert info.name == "digits"
    assert info.notice is not None
    assert "the download" in info.notice
    assert "is not MNIST" in info.notice


def test_a_keras_home_that_cannot_be_written_is_named(
    environ: dict[str, str], tmp_path: Path, served: bytes
) -> None:
    (tmp_path / "keras").write_text("a file")
    with pytest.raises(DataError, match="cannot be used") as error:
        download(environ, 30.0)
    assert str(tmp_path / "keras") in str(error.value)


def test_address_and_hash_are_those_of_keras() -> None:
    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "src" / "datasets" / "mnist.py").read_text(encoding="utf-8")
    folder, _, name = ORIGIN.rpartition("/")
    assert f"{folder}/" in text
    assert f"{{origin_folder}}{name}" in text
    assert SHA256 in text
