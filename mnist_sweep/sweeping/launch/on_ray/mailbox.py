"""An actor between runs and the driver: runs report epochs, and the driver may answer.

Results do not pass through it: they are what tasks return. It is an actor, and not a stream of each
task, because Ray Client has no streams. If it dies, reports are lost but no run.
"""

from __future__ import annotations

import asyncio
from typing import Any

Report = tuple[int, dict[str, float]]
"""Epochs done (0: just started) and the figures of the last."""

PATIENCE_S = 1.0
"""How long the driver's call for reports stays open."""
MAX_CALLS = 100_000
"""At once. Each run that waits for an answer is one call; with Ray's default of 1,000, that many
waiting runs would block the driver's own calls, which they wait for."""


class Mailbox:
    """Holds the latest report of each run until the driver takes it."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._new = asyncio.Event()
        self._asking: dict[str, asyncio.Future[str | None]] = {}

    async def tell(self, ticket: str, epoch: int, figures: dict[str, float]) -> None:
        """Keep a run's report; it replaces one that was not taken yet."""
        self._reports[ticket] = (epoch, figures)
        self._new.set()

    async def ask(self, ticket: str, epoch: int, figures: dict[str, float]) -> str | None:
        """Report, and wait for the driver's answer: None to go on, or why to stop."""
        self._asking[ticket] = asyncio.get_running_loop().create_future()
        await self.tell(ticket, epoch, figures)
        return await self._asking[ticket]

    async def answer(self, ticket: str, reason: str | None) -> None:
        """Pass the driver's answer to the run that asked."""
        waiting = self._asking.pop(ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason)

    async def take(self) -> dict[str, Report]:
        """All reports since the last call, by ticket, as soon as there are any."""
        try:
            await asyncio.wait_for(self._new.wait(), PATIENCE_S)
        except TimeoutError:
            return {}
        self._new.clear()
        reports, self._reports = self._reports, {}
        return reports


def start() -> Any:
    """Start the actor on the cluster; it takes no CPU from the runs."""
    import ray

    remote: Any = ray.remote(Mailbox)
    return remote.options(num_cpus=0, max_restarts=-1, max_concurrency=MAX_CALLS).remote()
