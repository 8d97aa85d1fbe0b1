"""A worker in the test's own process: it outlives Redis and stops when told."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs import worker
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import Context, open_context
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import connect
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.redis import MakeRedis
from tests.support.waiting import until

pytestmark = [
    pytest.mark.one_redis,
    # arq closes its connections by a name that redis-py has given another.
    pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning"),
]


def settings_for(redis_url: str, simulator: Running) -> Settings:
    """Return the settings of a worker for the stand-in's first account."""
    return Settings(
        redis_url=redis_url,
        streams_redis_url=redis_url,
        hubspot_access_token=Secret(simulator.token),
        hubspot_portal_id=simulator.portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
    )


async def test_worker_outlives_a_redis_that_is_away_for_long(
    make_redis: MakeRedis,
    simulator: Running,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When arq gives a Redis up, its workers are started anew and go on where they were."""
    monkeypatch.setattr(worker, "REDIS_RETRIES", 0)
    server = make_redis(port=0, aof=True)
    settings = settings_for(server.url, simulator)
    call_id = await control.create({"hs_call_title": "Discovery Call"})
    async with connect(server.url) as redis:
        with capture_logs() as logs:
            running = asyncio.create_task(worker.run(settings))
            await until(lambda: redis.exists("ledger:fleet"))
            server.kill()

            async def has_given_up() -> bool:
                return any(entry["event"] == "queue left" for entry in logs)

            await until(has_given_up)
            await asyncio.to_thread(server.start)
        await mark(redis, simulator.portal_id, call_id)
        await until(lambda: redis.exists("calls:{0}"), timeout_s=20)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 20)


async def test_worker_waits_for_redis_at_its_start(
    make_redis: MakeRedis, simulator: Running
) -> None:
    """A worker that is started before its Redis works once that is there, and says so twice."""
    server = make_redis(port=0)
    server.kill()
    with capture_logs() as logs:
        running = asyncio.create_task(worker.run(settings_for(server.url, simulator)))

        async def has_waited() -> bool:
            return any(entry["event"] == "Redis does not answer" for entry in logs)

        await until(has_waited)
        await asyncio.to_thread(server.start)
        async with connect(server.url) as redis:
            await until(lambda: redis.exists("ledger:fleet"))
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)
    told = [entry["event"] for entry in logs if entry["event"].startswith("Redis ")]
    assert told == ["Redis does not answer", "Redis answers again"]


async def test_worker_makes_progress(
    make_redis: MakeRedis, simulator: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that no longer beats is stuck; while Redis is away none is."""
    monkeypatch.setattr(worker, "POLL_WITHIN_S", 0.5)
    opened: list[Context] = []

    @contextlib.asynccontextmanager
    async def open_noticed(settings: Settings, *, slots: int) -> AsyncGenerator[Context]:
        async with open_context(settings, slots=slots) as context:
            opened.append(context)
            yield context

    monkeypatch.setattr(worker, "open_context", open_noticed)
    server = make_redis(port=0, aof=True)
    running = asyncio.create_task(worker.run(settings_for(server.url, simulator)))
    async with connect(server.url) as redis:
        await until(lambda: redis.exists("ledger:fleet"))
    await asyncio.sleep(1.0)  # twice as long as a queue may be left alone
    [context] = opened
    assert context.liveness.stuck() == {}
    server.kill()
    await asyncio.sleep(1.5)
    assert context.liveness.stuck() == {}
    await asyncio.to_thread(server.start)
    monkeypatch.setattr(worker, "POLL_WITHIN_S", -1.0)

    async def is_stuck() -> bool:
        return {"live queue", "collections queue"} == set(context.liveness.stuck())

    await until(is_stuck)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)


async def test_worker_that_waits_for_redis_can_be_stopped(
    make_redis: MakeRedis, simulator: Running
) -> None:
    """SIGTERM ends a worker whose Redis never came."""
    server = make_redis(port=0)
    server.kill()
    with capture_logs() as logs:
        running = asyncio.create_task(worker.run(settings_for(server.url, simulator)))

        async def has_waited() -> bool:
            return any(entry["event"] == "Redis does not answer" for entry in logs)

        await until(has_waited)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)


async def mark(redis: Redis, portal_id: int, call_id: int) -> None:
    """Mark a call without ringing: the sweep finds it."""
    hint = Hint("propertyChange", 1, "hs_call_title")
    await Ledger(redis, "", Timing()).mark([Mark(portal_id, str(call_id), (hint,))])
