"""A consumer to be killed: `python -m tests.chaos.consumer URL NAMESPACE GROUP`.

Prints each event's id when it has handled it, which is before it is acknowledged.
"""

import asyncio
import sys

from callstream_client import CallEvent, Delivery, Reader
from callstream_client.reader import ReaderOptions

from jobs.redis import connect

HANDLING_S = 0.03
"""Between reading an event and acknowledging it."""


async def handle(delivery: Delivery) -> None:
    """Say that the event was handled, and take a moment."""
    if isinstance(delivery.event, CallEvent):
        print(delivery.event.id, flush=True)  # noqa: T201 - its output is its work
    await asyncio.sleep(HANDLING_S)


async def main(url: str, namespace: str, group: str) -> None:
    """Consume until killed."""
    async with connect(url) as redis:
        options = ReaderOptions(namespace=namespace, block_ms=200)
        await Reader(redis, group, "chaos-0", options).run(handle)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
