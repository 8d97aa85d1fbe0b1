"""A backfill whose only worker is killed over and over, and what is on the stream in the end."""

import asyncio
import random
from collections import Counter
from typing import Final

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.backfill.record import UNFINISHED, Run
from tests.support.backfilling import FleetBackfills
from tests.support.fleet import Fleet

PAGE: Final = 100
"""Calls on a page."""
_AT_ONCE: Final = 1_000


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has ended, and how often its worker was killed until then."""

    run: Run
    kills: int
    in_turn: int
    """Of those, while the worker had the run in its hands."""


async def kill_at_random(  # noqa: PLR0913 - how often, when and for how long, all by name
    running: Fleet,
    backfills: FleetBackfills,
    *,
    calls: int,
    kills: int,
    rng: random.Random,
    page_s: float,
    timeout_s: float,
) -> Killed:
    """Backfill so many calls and kill the worker at random moments of it.

    Args:
        running: has one worker.
        backfills: of its account.
        calls: how many there are.
        kills: how often.
        rng: draws the moments: at which call of the run, and when within a page.
        page_s: about as long as a page takes.
        timeout_s: how long a run may stand still.
    """
    (worker,) = running.workers
    run = await backfills.start()
    done = in_turn = 0
    for call in sorted(rng.sample(range(calls), kills)):
        await backfills.pages(run, call // PAGE, timeout_s=timeout_s)
        await asyncio.sleep(rng.uniform(0, page_s))
        now = await backfills.look(run)
        if now.state not in UNFINISHED:
            break
        await worker.kill()
        done, in_turn = done + 1, in_turn + bool(now.holder)
        await worker.start()
    run = await backfills.ended(run, timeout_s=timeout_s)
    return Killed(run=run, kills=done, in_turn=in_turn)


async def events_by_call(redis: Redis, namespace: str) -> Counter[str]:
    """Return how many entries each call has, on all streams, without decoding what they say."""
    told = await redis.hget(keys.meta(namespace), keys.META_PARTITIONS)  # type: ignore[misc]
    found = Counter[str]()
    for partition in range(int(told or 0)):
        start = "-"
        while page := await redis.xrange(keys.stream(namespace, partition), start, count=_AT_ONCE):
            start = f"({page[-1][0].decode()}"
            found.update(fields[b"subject"].decode() for _, fields in page)
    return found
