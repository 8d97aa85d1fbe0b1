"""Waits for what another process does, where no event tells."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[object]], *, timeout_s: float = 10, every_s: float = 0.01
) -> None:
    """Ask until the condition's answer is true.

    Raises:
        TimeoutError: it was not within `timeout_s`.
    """
    async with asyncio.timeout(timeout_s):
        while not await condition():  # noqa: ASYNC110 - Redis and other processes set no event here
            await asyncio.sleep(every_s)
