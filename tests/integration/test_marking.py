"""Group commit against a real ledger: everybody is answered, and with the truth."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.queue import queue_key
from jobs.redis import command, connect
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from service.front_door.marking import Answer, Limits
from service.front_door.notifications import Batch
from service.front_door.outages import Outage
from tests.support.committing import NAMESPACE, PORTAL, batch, committing, marked
from tests.support.redis import MakeRedis
from tests.support.relay import Relay

HASTY = Timing(mark_deadline_ms=400)


async def test_alone(redis: Redis, redis_url: str, namespace: str) -> None:
    """A lone request is marked, with its dead letters, and its portal's doorbell is rung."""
    await Ledger(redis, namespace, Timing()).connect(PORTAL)
    letter = DeadLetter(reason="malformed-notification", error="none", raw=b"{}")
    sent = Batch(batch(512).marks, (letter,), calls=1)

    async with committing(redis_url, Timing()) as committer:
        assert await committer.commit(sent, 100) is Answer.MARKED

    assert await marked(redis) == {512}
    assert await redis.xlen(f"{namespace}:calls:dead") == 1
    assert await redis.zcard(queue_key(namespace, "live")) == 1


async def test_together(redis: Redis, redis_url: str) -> None:
    """What arrives together is committed together, up to 1,000 notifications at a time."""
    requests = [batch(*range(start, start + 10)) for start in range(0, 2_500, 10)]
    await command(redis, "CONFIG", "RESETSTAT")

    async with committing(redis_url, Timing()) as committer:
        answers = await asyncio.gather(*(committer.commit(sent, 10) for sent in requests))

    assert set(answers) == {Answer.MARKED}
    assert await marked(redis) == set(range(2_500))
    assert await scripts_run(redis) == 3


async def scripts_run(redis: Redis) -> int:
    """Return how many script calls succeeded since the last reset."""
    stats = (await redis.info("commandstats"))["cmdstat_evalsha"]
    return int(stats["calls"]) - int(stats.get("failed_calls", 0))


async def test_one_request_larger_than_a_commit(redis: Redis, redis_url: str) -> None:
    """A request that is larger than a commit, or than the empty room, is still taken whole."""
    letter = DeadLetter(reason="malformed-notification", error="none", raw=b"{}")
    sent = Batch(batch(*range(25)).marks, (letter,) * 15, calls=25)

    async with committing(
        redis_url, Timing(), limits=Limits(commit=10, notifications=20, bytes=50)
    ) as committer:
        assert await committer.commit(sent, 100) is Answer.MARKED

    assert await marked(redis) == set(range(25))
    assert await redis.xlen(f"{NAMESPACE}:calls:dead") == 15


async def test_a_waiter_that_gives_up(make_redis: MakeRedis) -> None:
    """Requests that are cancelled during a commit change nothing for the others in it."""
    server = make_redis()
    async with committing(server.url, Timing()) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        server.pause()
        waiters = [asyncio.create_task(committer.commit(batch(n), 1)) for n in range(20)]
        await asyncio.sleep(0.02)
        for waiter in waiters[::2]:
            waiter.cancel()
        await asyncio.wait(waiters[::2])
        server.resume()

        assert set(await asyncio.gather(*waiters[1::2])) == {Answer.MARKED}


async def test_frozen_redis(make_redis: MakeRedis) -> None:
    """When Redis does not answer, everybody hears so at the deadline; later it goes on."""
    server = make_redis()
    async with committing(server.url, HASTY) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        server.pause()
        began = asyncio.get_running_loop().time()

        answers = await asyncio.gather(*(committer.commit(batch(n), 1) for n in range(50)))

        assert set(answers) == {Outage.SLOW}
        assert asyncio.get_running_loop().time() - began < 1.0
        server.resume()
        assert await eventually(lambda: committer.commit(batch(2), 1)) is Answer.MARKED


async def test_deadline_counts_from_arrival(make_redis: MakeRedis) -> None:
    """A request that has to wait for a commit that hangs hears no later than one in the commit."""
    server = make_redis()
    async with committing(server.url, Timing(mark_deadline_ms=600)) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        server.pause()
        first = asyncio.create_task(committer.commit(batch(2), 1))
        await asyncio.sleep(0.05)

        async with asyncio.timeout(0.95):
            assert await committer.commit(batch(3), 1) is Outage.SLOW

        assert await first is Outage.SLOW
        server.resume()


async def test_connection_that_swallows_everything(redis_server: EmbeddedRedis) -> None:
    """A connection that goes dead without a word holds up one commit and no other."""
    relay = Relay(f"{redis_server.folder}/redis.sock")
    async with relay.running(), committing(relay.url, HASTY) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        relay.swallow()

        assert await committer.commit(batch(2), 1) is Outage.SLOW

        assert await committer.commit(batch(3), 1) is Answer.MARKED


async def test_dead_redis(make_redis: MakeRedis) -> None:
    """When Redis is gone everybody hears so; once it is back, marks are taken again."""
    server = make_redis()
    async with committing(server.url, Timing()) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        server.kill()

        answers = await asyncio.gather(*(committer.commit(batch(n), 1) for n in range(50)))

        assert set(answers) == {Outage.UNREACHABLE}
        server.start()
        assert await committer.commit(batch(2), 1) is Answer.MARKED


async def eventually(
    attempt: Callable[[], Awaitable[Answer | Outage]], within_s: float = 10.0
) -> Answer | Outage:
    """Repeat an attempt until it is marked, and return its last answer."""
    deadline = asyncio.get_running_loop().time() + within_s
    while (answer := await attempt()) is not Answer.MARKED:
        if asyncio.get_running_loop().time() > deadline:
            break
    return answer


@pytest.mark.parametrize(
    ("setting", "ill", "well", "outage"),
    [
        ("maxmemory", "1", "0", Outage.FULL),
        ("replicaof", "127.0.0.1 1", "no one", Outage.READ_ONLY),
        ("min-replicas-to-write", "1", "0", Outage.UNWRITABLE),
    ],
)
async def test_unwritable_redis(
    make_redis: MakeRedis, setting: str, ill: str, well: str, outage: Outage
) -> None:
    """When Redis takes no writes everybody hears why; once it takes them, marks are taken."""
    server = make_redis()
    redis = connect(server.url)

    async def configure(value: str) -> None:
        words = [setting, *value.split()]
        await command(redis, *(words if setting == "replicaof" else ["CONFIG", "SET", *words]))

    async with committing(server.url, Timing()) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        await configure(ill)

        answers = await asyncio.gather(*(committer.commit(batch(n), 1) for n in range(5)))

        assert set(answers) == {outage}
        await configure(well)
        assert await committer.commit(batch(2), 1) is Answer.MARKED
    await redis.aclose()


async def test_the_bad_one_suffers_alone(redis: Redis, redis_url: str) -> None:
    """A request that makes the script fail is refused; those that shared its commit are marked."""
    await redis.set(f"{NAMESPACE}:ledger:666:due", "of the wrong type")

    async with committing(redis_url, Timing()) as committer:
        answers = await asyncio.gather(
            committer.commit(batch(1), 1),
            committer.commit(batch(2, portal_id=666), 1),
            committer.commit(batch(3), 1),
        )

    assert list(answers) == [Answer.MARKED, Answer.REFUSED, Answer.MARKED]
    assert await marked(redis) == {1, 3}


async def test_what_cannot_even_be_sent(redis: Redis, redis_url: str) -> None:
    """A request whose marks cannot be encoded is refused, and the committer lives on."""
    unsendable = Batch((Mark(PORTAL, "\ud800", ()),), calls=1)

    async with committing(redis_url, Timing()) as committer:
        answers = await asyncio.gather(
            committer.commit(unsendable, 1), committer.commit(batch(1), 1)
        )
        assert committer.alive

    assert list(answers) == [Answer.REFUSED, Answer.MARKED]
    assert await marked(redis) == {1}


@pytest.mark.parametrize("limits", [Limits(notifications=10), Limits(bytes=10)])
async def test_full_waiting_room(make_redis: MakeRedis, limits: Limits) -> None:
    """Beyond the bound requests are turned away at once; those inside are served."""
    server = make_redis()
    async with committing(server.url, Timing(), limits=limits) as committer:
        assert await committer.commit(batch(1), 1) is Answer.MARKED
        server.pause()
        inside = [asyncio.create_task(committer.commit(batch(n), 1)) for n in range(10)]
        await asyncio.sleep(0)

        async with asyncio.timeout(1):
            assert await committer.commit(batch(10), 1) is Answer.CROWDED

        server.resume()
        assert set(await asyncio.gather(*inside)) == {Answer.MARKED}
        assert await committer.commit(batch(*range(10)), 10) is Answer.MARKED


@pytest.mark.parametrize("harm", [EmbeddedRedis.kill, EmbeddedRedis.pause])
async def test_ringing_that_fails(
    redis: Redis,
    redis_url: str,
    namespace: str,
    make_redis: MakeRedis,
    harm: Callable[[EmbeddedRedis], None],
) -> None:
    """A queue that is gone or frozen neither fails nor delays an answer."""
    await Ledger(redis, namespace, Timing()).connect(PORTAL)
    queue = make_redis()
    harm(queue)

    async with committing(redis_url, Timing(bell_ms=200), queue_url=queue.url) as committer:
        async with asyncio.timeout(2):
            assert await committer.commit(batch(1), 1) is Answer.MARKED
            assert await committer.commit(batch(2), 1) is Answer.MARKED

    assert await marked(redis) == {1, 2}


async def test_closing(redis: Redis, redis_url: str) -> None:
    """On the way out those who wait are served, and who comes later is turned away."""
    async with committing(redis_url, Timing(), limits=Limits(commit=2)) as committer:
        waiting = [asyncio.create_task(committer.commit(batch(n), 1)) for n in range(5)]
        await asyncio.sleep(0)

    assert set(await asyncio.gather(*waiting)) == {Answer.MARKED}
    assert await committer.commit(batch(9), 1) is Answer.CLOSING
    assert await marked(redis) == set(range(5))
    assert not committer.alive
