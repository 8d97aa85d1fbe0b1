"""Close to its limit Redis takes nothing more: the door answers 503, workers claim nothing."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from jobs.headroom import Headroom
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command, connect
from jobs.stream.trimming import trim_aged
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.support.program import Program
from tests.support.redis import MakeRedis
from tests.support.served import served
from tests.support.waiting import until

OPERATOR = {"Authorization": "Bearer t"}
BALLAST = 32 * 2**20
"""So that what else goes on is little beside it."""


async def fill(redis: Redis, share: float) -> None:
    """Let Redis use so much of its limit, by moving that."""
    if not await redis.exists("ballast"):
        await command(redis, "SETRANGE", "ballast", BALLAST, "x")
    used = int((await redis.info("memory"))["used_memory"])
    await command(redis, "CONFIG", "SET", "maxmemory", int(used / share))


async def test_looking(make_redis: MakeRedis) -> None:
    """Both marks are seen, and a Redis without a limit has room."""
    server = make_redis()
    async with connect(server.url) as redis:
        room = Headroom(redis, "streams", Timing())
        await room.look()
        assert not room.tight
        for share, tight in ((0.95, True), (0.87, True), (0.8, False), (0.87, False)):
            await fill(redis, share)
            await room.look()
            assert room.tight is tight


async def test_relief(make_redis: MakeRedis) -> None:
    """What is older than promised is dropped though nothing is published, and nothing else."""
    server = make_redis()
    async with connect(server.url) as redis:
        for entry in ("1-0", "2-0"):
            await command(redis, "XADD", "calls:{0}", entry, "a", "b")
        await command(redis, "XADD", "calls:{0}", "*", "a", "b")
        await trim_aged(redis, "", 1, 0)
        assert await redis.xlen("calls:{0}") == 3
        await trim_aged(redis, "", 2, 60_000)
        assert await redis.xlen("calls:{0}") == 1


@pytest.mark.one_redis
async def test_the_door(make_redis: MakeRedis) -> None:
    """`503` with `Retry-After` while it is nearly full, `204` once it has room again; both told."""
    server = make_redis(maxmemory_policy="noeviction")
    async with connect(server.url) as redis:
        with served(server.url, TIMING_SCALE="0.1", ADMIN_TOKEN="t") as service:
            assert (await service.deliver(1)).status == 204
            await fill(redis, 0.95)

            async def refused() -> bool:
                return (await service.deliver(2)).status == 503

            await until(refused, timeout_s=10)
            reply = await service.deliver(3)
            assert reply.headers["Retry-After"]
            assert "redis-nearly-full" in str(reply.json["detail"])
            status = await service.ask("GET", "/ops/status", headers=OPERATOR)
            assert status.json["nearly_full"] == ["ledger", "streams"]
            ready = await service.ask("GET", "/health/ready")
            assert ready.status == 503
            assert ready.json["down"] == {"redis": "redis-nearly-full"}
            assert (await service.ask("GET", "/health/live")).status == 200
            await fill(redis, 0.5)

            async def taken() -> bool:
                return (await service.deliver(4)).status == 204

            await until(taken, timeout_s=10)
            assert (await service.ask("GET", "/health/ready")).status == 200
            events = [
                json.loads(line)["event"] for line in service.log.splitlines() if line[0] == "{"
            ]
            assert events.count("Redis is nearly full: nothing more is taken") == 1
            assert events.count("Redis has room again") == 1


@pytest.mark.one_redis
async def test_the_worker(
    make_redis: MakeRedis, simulator: Running, control: Control, tmp_path: Path
) -> None:
    """Nothing is claimed while the streams' Redis is nearly full; then all that was marked is."""
    server = make_redis(maxmemory_policy="noeviction")
    account = await control.open_account(8_400)
    call_id = await control.create({"hs_call_title": "Hi"}, portal_id=8_400)
    settings = {
        "REDIS_URL": server.url,
        "HUBSPOT_ACCESS_TOKEN": account.token,
        "HUBSPOT_PORTAL_ID": "8400",
        "HUBSPOT_API_URL": simulator.url,
        "BACKFILL_ON_CONNECT": "live",
        "WORKER_PORT": "0",
        "LOG_FORMAT": "json",
        "TIMING_SCALE": "0.1",
    }
    worker = Program("worker", ["-m", "service.cli", "worker"], folder=tmp_path, environ=settings)
    async with AsyncExitStack() as stack:
        stack.callback(worker.close)
        redis = await stack.enter_async_context(connect(server.url))
        await fill(redis, 0.95)
        await worker.start()

        async def told() -> bool:
            return "Redis is nearly full" in worker.text()

        await until(told, timeout_s=30)
        await Ledger(redis, "", Timing()).mark([Mark(8_400, str(call_id), ())])
        await asyncio.sleep(1)
        assert await redis.xlen("calls:{0}") == 0
        assert await command(redis, "ZCARD", "ledger:8400:due") == 1

        await fill(redis, 0.5)

        async def published() -> bool:
            return bool(await redis.xlen("calls:{0}"))

        await until(published, timeout_s=30)
        assert "Redis has room again" in worker.text()
