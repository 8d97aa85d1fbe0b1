"""A committer with everything real behind it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
from redis.asyncio import Redis

from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.queue import Doorbells, connect_queue
from jobs.redis import command, connect
from jobs.timing import Timing
from service.front_door.durability import Durability
from service.front_door.marking import Committer, Limits
from service.front_door.notifications import Batch
from service.front_door.ringing import Ringer

NAMESPACE = "tenant-1"
PORTAL = 62515


def batch(*call_ids: int, portal_id: int = PORTAL) -> Batch:
    """Return what one notification for each of the calls says."""
    marks = [Mark(portal_id, str(call_id), (Hint("creation", 1),)) for call_id in call_ids]
    return Batch(tuple(marks), calls=len(marks))


async def marked(redis: Redis, portal_id: int = PORTAL) -> set[int]:
    """Return the calls that the ledger takes for changed."""
    key = f"{NAMESPACE}:ledger:{portal_id}:due"
    calls = await command(redis, "ZRANGE", key, 0, -1)
    return {int(call) for call in msgspec.convert(calls, list[bytes])}


@asynccontextmanager
async def committing(
    url: str,
    timing: Timing,
    *,
    queue_url: str | None = None,
    limits: Limits | None = None,
    durability: Durability | None = None,
) -> AsyncGenerator[Committer]:
    """Commit to the ledger at `url`, and ring through the queue there or at `queue_url`."""
    redis = connect(url)
    queue = connect_queue(queue_url or url, NAMESPACE, "live")
    ringer = Ringer(Doorbells(queue, NAMESPACE), timing)
    ledger = Ledger(redis, NAMESPACE, timing)
    committer = Committer(ledger, ringer, timing, durability=durability, limits=limits)
    async with ringer.running(), committer.running():
        yield committer
    await queue.aclose(close_connection_pool=True)
    await redis.aclose()
