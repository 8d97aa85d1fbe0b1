"""Waits between attempts: doubling, bounded, and never the same for two processes."""

import asyncio
import random
from contextlib import suppress


class Backoff:
    """The wait after each failure in a row."""

    def __init__(self, first_ms: float = 50, last_ms: float = 5_000) -> None:
        """Begin at `first_ms`, never go beyond `last_ms`."""
        self._first_ms = first_ms
        self._last_ms = last_ms
        self._next_ms = first_ms

    @property
    def fresh(self) -> bool:
        """True until the first wait since the last success."""
        return self._next_ms == self._first_ms

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next_ms = self._first_ms

    def next_ms(self) -> float:
        """Return the next wait: the current length or down to half of it, at random."""
        length = self._next_ms
        self._next_ms = min(length * 2, self._last_ms)
        return length * random.uniform(0.5, 1)  # noqa: S311 - spreads waits, hides nothing

    async def wait(self, stopped: asyncio.Event) -> None:
        """Wait for the next length, or until `stopped` is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.next_ms() / 1_000):
                await stopped.wait()
