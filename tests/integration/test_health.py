"""The probes tell what is down and cost Redis next to nothing."""

import asyncio
import contextlib
from collections.abc import Sequence

from redis.asyncio import Redis

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Bell, Mark
from jobs.queue import Doorbells, connect_queue
from jobs.redis import connect
from jobs.timing import Timing
from service.front_door.marking import Committer
from service.front_door.outages import Outage
from service.front_door.ringing import Ringer
from service.health import Checks, Health, RedisProbe
from tests.support.committing import batch
from tests.support.redis import MakeRedis
from tests.support.waiting import until


async def writes(redis: Redis) -> int:
    """Return how many SETs Redis has seen since the last reset."""
    stats = await redis.info("commandstats")
    return int(stats["cmdstat_set"]["calls"]) if "cmdstat_set" in stats else 0


async def test_one_write_for_many(redis: Redis, namespace: str) -> None:
    """However many ask at once, and again soon, Redis is written to once; the key goes away."""
    probe = RedisProbe(redis, namespace, Timing())
    await redis.config_resetstat()

    outages = await asyncio.gather(*(probe.outage() for _ in range(50)))

    assert set(outages) == {None}
    assert await writes(redis) == 1
    assert 0 < await redis.pttl(f"{namespace}:health:probe") <= 10_000


async def test_outcome_is_kept_for_a_while_only(make_redis: MakeRedis) -> None:
    """An outage is seen, and its end too, when the last outcome has grown old."""
    server = make_redis()
    async with connect(server.url, retries=0) as redis:
        probe = RedisProbe(redis, "", Timing(probe_ms=50))
        assert await probe.outage() is None
        server.kill()
        assert await probe.outage() is None
        await asyncio.sleep(0.06)
        assert await probe.outage() is Outage.UNREACHABLE
        server.start()
        await asyncio.sleep(0.06)
        assert await probe.outage() is None


async def test_committer_that_ended(redis: Redis, redis_url: str, namespace: str) -> None:
    """A process whose committing task is gone is not alive: only a restart helps."""
    queue = connect_queue(redis_url, namespace, "live")
    ringer = Ringer(Doorbells(queue, namespace), Timing())
    committer = Committer(Ledger(redis, namespace, Timing()), ringer, Timing())
    checks = Checks(committer, RedisProbe(redis, namespace, Timing()))

    async with committer.running():
        assert checks.live() == Health("up")
        assert await checks.ready() == Health("up")

    assert checks.live() == Health("down", {"committer": "ended"})
    assert await checks.ready() == Health("down", {"committer": "ended"})
    await queue.aclose(close_connection_pool=True)


class Deaf:
    """A ledger that never answers, and that no deadline gets an answer out of."""

    def __init__(self) -> None:
        self.hears = asyncio.Event()

    async def mark(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter] = ()
    ) -> list[Bell]:
        """Swallow every cancellation until it hears."""
        del marks, dead_letters
        while not self.hears.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.hears.wait()
        return []


async def test_committer_that_is_stuck(redis: Redis, redis_url: str, namespace: str) -> None:
    """A process that takes nothing while something waits is not alive; an idle one is."""
    queue = connect_queue(redis_url, namespace, "live")
    timing, deaf = Timing(mark_deadline_ms=20), Deaf()
    committer = Committer(deaf, Ringer(Doorbells(queue, namespace), timing), timing)
    checks = Checks(committer, RedisProbe(redis, namespace, timing))

    async with committer.running():
        await asyncio.sleep(0.15)  # longer than anything may be stuck
        assert checks.live() == Health("up")
        waiting = asyncio.create_task(committer.commit(batch(1), 1))

        async def is_stuck() -> bool:
            return checks.live() == Health("down", {"committer": "stuck"})

        await until(is_stuck)
        deaf.hears.set()
        await waiting

        async def is_alive() -> bool:
            return checks.live() == Health("up")

        await until(is_alive)
    await queue.aclose(close_connection_pool=True)
