"""What running runs tell the driver, and its answers: an actor between the two.

A result comes back by itself, as what its task returns; the actor carries words only: how far a run
is, and for runs that may be pruned whether it is to go on. An actor and not a stream of each
task's, for Ray Client has no streams. If it dies, words are lost and no run.
"""

from __future__ import annotations

import asyncio
from typing import Any

Word = tuple[int, dict[str, float]]
"""Epochs done (0: just started) and the figures of the last."""

PATIENCE_S = 1.0
"""How long the driver's question for words stays open."""
MOST_CALLS = 100_000
"""At once: each run that waits for its answer is one. By Ray's default of 1,000 as many such runs
would keep the driver's own calls out, which they wait for."""


class Mailbox:
    """Holds the latest word of each run until the driver takes it."""

    def __init__(self) -> None:
        self._words: dict[str, Word] = {}
        self._new = asyncio.Event()
        self._asking: dict[str, asyncio.Future[str | None]] = {}

    async def tell(self, ticket: str, epoch: int, figures: dict[str, float]) -> None:
        """Keep a run's word; an earlier one that was not taken yet is forgotten."""
        self._words[ticket] = (epoch, figures)
        self._new.set()

    async def ask(self, ticket: str, epoch: int, figures: dict[str, float]) -> str | None:
        """Tell, and wait for the driver's answer: None to go on, or why to stop."""
        self._asking[ticket] = asyncio.get_running_loop().create_future()
        await self.tell(ticket, epoch, figures)
        return await self._asking[ticket]

    async def answer(self, ticket: str, reason: str | None) -> None:
        """The driver's answer to a run that asks."""
        waiting = self._asking.pop(ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason)

    async def take(self) -> dict[str, Word]:
        """All words since the last call, by ticket, as soon as there are any."""
        try:
            await asyncio.wait_for(self._new.wait(), PATIENCE_S)
        except TimeoutError:
            return {}
        self._new.clear()
        words, self._words = self._words, {}
        return words


def start() -> Any:
    """Start the actor on the cluster; it takes no CPU from the runs."""
    import ray

    remote: Any = ray.remote(Mailbox)
    return remote.options(num_cpus=0, max_restarts=-1, max_concurrency=MOST_CALLS).remote()
