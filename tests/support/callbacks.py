"""A callback of Hydra's that inherits the event it listens to."""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class Listens(Callback):
    """Listens to the start of jobs."""

    def on_job_start(self, config: DictConfig, **_more: Any) -> None:
        """Do nothing."""


class Inherits(Listens):
    """Has the event from its base."""
