"""The download runs where it can be stopped, fails at once without a network, leaves no halves."""

from __future__ import annotations

import importlib.util
import socket
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.data import prepare
from mnist_sweep.data.keras_download import ORIGIN
from mnist_sweep.data.mnist import download
from mnist_sweep.errors import DataError
from support.data_files import Bytes, write_npz

Settings = Callable[..., dict[str, Any]]


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts another program in the place of the one that downloads."""

    def replace(code: str) -> None:
        path = tmp_path / "child.py"
        path.write_text(textwrap.dedent(code))
        monkeypatch.setattr("mnist_sweep.data.mnist.CHILD", path)

    return replace


@pytest.fixture
def silent_proxy() -> Iterator[str]:
    """A server that accepts and never answers, as a network that swallows packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _through(environ: dict[str, str], proxy: str) -> dict[str, str]:
    kept = {key: value for key, value in environ.items() if "proxy" not in key.lower()}
    return {**kept, "https_proxy": proxy}


def _alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_network_that_refuses_is_told_at_once(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(DataError, match=r"mnist\.npz cannot be reached: .*refused"):
        download(_through(environ, closed), 30.0)
    assert not Path(environ["KERAS_HOME"]).exists()


def test_a_network_that_swallows_packets_is_given_up_in_time(
    environ: dict[str, str], silent_proxy: str, data_settings: Settings
) -> None:
    info = prepare(data_settings(download_timeout_s=0.5), _through(environ, silent_proxy))
    assert info.name == "digits"
    assert info.notice is not None
    assert "Keras's download (" in info.notice
    assert "timed out" in info.notice or "not finished after" in info.notice


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_at_the_limit_everything_the_download_started_is_killed(
    child: Callable[[str], None], environ: dict[str, str], tmp_path: Path
) -> None:
    child(f"""
        import subprocess, sys, time
        code = "import time; time.sleep(600)"
        other = subprocess.Popen([sys.executable, "-c", code])
        open({str(tmp_path / "pid")!r}, "w").write(str(other.pid))
        time.sleep(600)
    """)
    with pytest.raises(DataError, match=r"not finished after data\.download_timeout_s=1 seconds"):
        download(environ, 1.0)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not _alive(pid):
            break
        time.sleep(0.05)
    assert not _alive(pid)
    assert not list((tmp_path / "temporary").iterdir())


def test_a_download_that_is_killed_half_way_leaves_nothing(
    child: Callable[[str], None], environ: dict[str, str]
) -> None:
    child("""
        import os, pathlib, signal
        folder = pathlib.Path(os.environ["KERAS_HOME"], "datasets")
        folder.mkdir()
        (folder / "mnist.npz").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    with pytest.raises(DataError, match="exit status -9"):
        download(environ, 30.0)
    assert not Path(environ["KERAS_HOME"]).exists()


def test_a_finished_download_is_in_kerass_cache_and_other_content_is_not_taken_for_mnist(
    child: Callable[[str], None],
    environ: dict[str, str],
    data_settings: Settings,
    tmp_path: Path,
    small: tuple[Bytes, ...],
) -> None:
    made = write_npz(tmp_path / "made.npz", small)
    child(f"""
        import os, pathlib, shutil
        folder = pathlib.Path(os.environ["KERAS_HOME"], "datasets")
        folder.mkdir()
        shutil.copy({str(made)!r}, folder / "mnist.npz")
    """)
    path = download(environ, 30.0)
    assert path == Path(environ["KERAS_HOME"]) / "datasets" / "mnist.npz"
    assert path.read_bytes() == made.read_bytes()
    info = prepare(data_settings(download_timeout_s=30.0), environ)
    assert info.name == "digits"
    assert info.notice is not None
    assert "Keras's download" in info.notice
    assert "is not MNIST" in info.notice


def test_a_keras_home_that_cannot_be_written_is_named(
    child: Callable[[str], None], environ: dict[str, str], tmp_path: Path
) -> None:
    child("""
        import os, pathlib
        folder = pathlib.Path(os.environ["KERAS_HOME"], "datasets")
        folder.mkdir()
        (folder / "mnist.npz").write_bytes(b"whole")
    """)
    (tmp_path / "keras").write_text("a file")
    with pytest.raises(DataError, match="cannot be used") as error:
        download(environ, 30.0)
    assert str(tmp_path / "keras") in str(error.value)


def test_the_address_asked_first_is_the_one_keras_downloads_from() -> None:
    spec = importlib.util.find_spec("keras")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "src" / "datasets" / "mnist.py").read_text(encoding="utf-8")
    folder, _, name = ORIGIN.rpartition("/")
    assert f"{folder}/" in text
    assert f"{{origin_folder}}{name}" in text
