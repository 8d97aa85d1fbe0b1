"""Refused signatures are counted for all processes together, with what to do about them."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from service.front_door.counters import FrontDoorCounters
from service.front_door.refusals import Refusals, read_refused
from tests.support.commands import CALLSTREAM, run_command
from tests.support.redis import MakeRedis
from tests.support.served import WEBHOOK, notification, served, signed
from tests.support.waiting import until

QUICK = Timing(refusals_every_ms=5)


def process(redis: Redis, namespace: str) -> tuple[FrontDoorCounters, Refusals]:
    """Return one service process' counters, and what brings them to Redis."""
    counters = FrontDoorCounters()
    return counters, Refusals(counters, redis, namespace, QUICK)


def refuse(counters: FrontDoorCounters, reason: str, detail: str, times: int = 1) -> None:
    """Count refused signatures as the front door does."""
    counters.rejected[reason] += times
    counters.last_rejected[reason] = detail


async def test_processes_count_together(redis: Redis, namespace: str) -> None:
    """Counts of several processes add up, each refusal once, with the latest word on each."""
    first, first_tells = process(redis, namespace)
    second, second_tells = process(redis, namespace)
    refuse(first, "wrong-url", "an old word", 3)
    refuse(first, "stale-timestamp", "the clock")
    await first_tells.tell()
    await first_tells.tell()
    refuse(second, "wrong-url", "HubSpot signs another", 4)
    await second_tells.tell()
    refuse(first, "stale-timestamp", "the clock again")
    await first_tells.tell()
    found = await read_refused(redis, namespace)
    assert [(one.reason, one.count, one.detail) for one in found] == [
        ("wrong-url", 7, "HubSpot signs another"),
        ("stale-timestamp", 2, "the clock again"),
    ]
    assert all(one.at.endswith("Z") for one in found)
    assert 0 < await redis.pttl(f"{namespace}:door:refused") <= 7 * 86_400_000


async def test_nothing_refused_is_nothing_written(redis: Redis, namespace: str) -> None:
    """A door that refuses nobody writes nothing."""
    _, tells = process(redis, namespace)
    await tells.tell()
    assert await read_refused(redis, namespace) == []
    assert await redis.keys() == []


async def test_the_last_ones_are_told_at_the_end(redis: Redis, namespace: str) -> None:
    """What was refused just before a process stops is told as well."""
    counters = FrontDoorCounters()
    task = asyncio.create_task(
        Refusals(counters, redis, namespace, Timing(refusals_every_ms=60_000)).tell_forever()
    )
    await asyncio.sleep(0)
    refuse(counters, "mismatch", "x")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [one.count for one in await read_refused(redis, namespace)] == [1]


async def test_a_redis_that_is_away_loses_no_count(make_redis: MakeRedis) -> None:
    """Refusals during an outage of Redis are told when it is back."""
    server = make_redis()
    async with Redis.from_url(server.url) as client:
        counters, tells = process(client, "")
        task = asyncio.create_task(tells.tell_forever())
        refuse(counters, "mismatch", "x")
        await until(lambda: read_refused(client, ""))
        await asyncio.to_thread(server.kill)
        refuse(counters, "mismatch", "y", 2)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(server.start)

        async def is_told() -> bool:
            return [one.count for one in await read_refused(client, "")] == [2]

        await until(is_told)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.one_redis
async def test_status_tells_them(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    """A delivery signed for another URL is seen in `callstream status`, with both URLs."""
    del redis
    with served(redis_server.url) as service:
        body = msgspec.json.encode([notification(512)])
        headers = {**signed(body, origin="https://other.example"), "Host": "other.example"}
        assert (await service.ask("POST", WEBHOOK, body, headers)).status == 401

    own = {"REDIS_URL": redis_server.url, "NAMESPACE": "tenant-1", "COLUMNS": "200"}
    shown = run_command([*CALLSTREAM, "status"], tmp_path, **own)
    assert shown.returncode == 0, shown.stderr
    assert "wrong-url" in shown.stdout
    assert "HubSpot signs https://other.example/webhooks/hubspot" in shown.stdout
