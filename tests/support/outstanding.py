"""What the ledger still holds: empty when nothing is left to do."""

import asyncio
import time

import msgspec
from redis.asyncio import Redis

from jobs.queue import queue_key

POLL_S = 0.05

_ROOMS = ("due", "leases", "claims", "bells")
_HASHES = ("held", "hints", "fresh", "memo")


class Outstanding(msgspec.Struct, frozen=True, kw_only=True):
    """Members of the ledger's rooms for one portal, and how long the queue is."""

    due: tuple[str, ...] = ()
    leases: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    bells: tuple[str, ...] = ()
    """Doorbells on their way; those that count as lost are left out."""
    held: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    memo: tuple[str, ...] = ()
    queued: int = 0
    """Jobs in the live queue; those of a killed worker stay there until arq's lease ends."""
    asleep_for_ms: int = 0
    why: str = ""

    @property
    def work(self) -> dict[str, int]:
        """How much is in each place of the ledger that is not empty."""
        named = {name: len(getattr(self, name)) for name in (*_ROOMS, *_HASHES)}
        return {name: size for name, size in named.items() if size}

    def __str__(self) -> str:
        """Return what is left in a few words."""
        asleep = self.asleep_for_ms > 0
        sleep = f", asleep for {self.asleep_for_ms} ms ({self.why})" if asleep else ""
        calls = " ".join(sorted({*self.due, *self.leases})[:5])
        queue = f", {self.queued} jobs queued"
        return f"{self.work or 'nothing'}{queue}{sleep}; calls: {calls or 'none'}"


async def outstanding(redis: Redis, namespace: str, portal_id: int) -> Outstanding:
    """Return what is left to do, all of one moment."""
    space = f"{namespace}:" if namespace else ""
    portal = f"{space}ledger:{portal_id}"
    seconds, micros = await redis.time()
    now = seconds * 1000 + micros // 1000
    pipe = redis.pipeline(transaction=True)
    for name in _ROOMS:
        pipe.zrangebyscore(f"{portal}:{name}", f"({now}" if name == "bells" else "-inf", "+inf")
    for name in _HASHES:
        pipe.hkeys(f"{portal}:{name}")
    pipe.zcard(queue_key(namespace, "live"))
    pipe.hmget(portal, ["asleep_until", "why"])
    *rooms, queued, sleep = await pipe.execute()
    members = {
        name: tuple(sorted(member.decode() for member in room))
        for name, room in zip((*_ROOMS, *_HASHES), rooms, strict=True)
    }
    return Outstanding(
        **members,
        queued=queued,
        asleep_for_ms=max(0, int(sleep[0] or 0) - now),
        why=(sleep[1] or b"").decode(),
    )


async def drained(redis: Redis, namespace: str, portal_id: int, within_s: float) -> Outstanding:
    """Wait until nothing is left to do; returns what is left after `within_s`."""
    deadline = time.monotonic() + within_s
    left = await outstanding(redis, namespace, portal_id)
    while left.work and time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        left = await outstanding(redis, namespace, portal_id)
    return left
