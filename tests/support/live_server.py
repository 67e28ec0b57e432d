"""The server of `mnist-sweep ui` in this process, on a free port."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import uvicorn

from mnist_sweep.ui.app import application


@contextmanager
def served(root):
    """The address at which the sweeps below `root` are served."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            application(root), log_level="error", lifespan="off", ws="none",
            timeout_graceful_shutdown=0,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
