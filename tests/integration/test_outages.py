"""What HubSpot hears while Redis is not well, and that it ends with Redis' illness."""

import asyncio
import subprocess
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.redis import command, connect
from service.app import create_app
from service.embedded.server import EmbeddedRedis
from tests.support.committing import marked
from tests.support.redis import MakeRedis
from tests.support.served import GRANIAN, LITESTAR, Reply, Served, served
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis


def comes_back(reply: Reply) -> bool:
    """Whether HubSpot is asked to come back later."""
    return reply.status == 503 and int(reply.headers["Retry-After"]) > 0


async def is_down(service: Served, reason: str) -> None:
    """Wait until the service says that it is not ready, and why; it is alive all the while."""

    async def told() -> bool:
        reply = await service.ask("GET", "/health/ready")
        return reply.status == 503 and reply.json == {"status": "down", "down": {"redis": reason}}

    await until(told)
    assert (await service.ask("GET", "/health/live")).status == 200


async def recovers(service: Served, call_id: int) -> None:
    """Wait until a delivery is taken again."""

    async def taken() -> bool:
        return (await service.deliver(call_id)).status == 204

    await until(taken)

    async def ready() -> bool:
        return (await service.ask("GET", "/health/ready")).status == 200

    await until(ready)


async def test_one_process_through_every_outage(make_redis: MakeRedis) -> None:
    """Frozen, killed, full, read-only: `503` and `Retry-After` each time, then business again."""
    server = make_redis(aof=True, appendfsync="always")
    with served(server.url, TIMING_SCALE="0.2") as service:
        assert (await service.deliver(1)).status == 204
        pid = service.process.pid

        server.pause()
        assert all(map(comes_back, await asyncio.gather(*(service.deliver(2) for _ in range(20)))))
        await is_down(service, "redis-slow")
        server.resume()
        await recovers(service, 3)

        server.kill()
        assert comes_back(await service.deliver(4))
        await is_down(service, "redis-unreachable")
        server.start()
        await recovers(service, 5)

        async with connect(server.url) as redis:
            await fill_and_drain(redis, service)
            await freeze_and_thaw(redis, service)
            assert await marked(redis) >= {1, 3, 5, 7, 9}
        assert service.process.running()
        assert service.process.pid == pid


async def fill_and_drain(redis: Redis, service: Served) -> None:
    """Take the service through a Redis that is full."""
    await command(redis, "CONFIG", "SET", "maxmemory", 1)
    assert comes_back(await service.deliver(6))
    await is_down(service, "redis-full")
    await command(redis, "CONFIG", "SET", "maxmemory", 0)
    await recovers(service, 7)


async def freeze_and_thaw(redis: Redis, service: Served) -> None:
    """Take the service through a Redis that is read-only."""
    await command(redis, "REPLICAOF", "127.0.0.1", "1")
    assert comes_back(await service.deliver(8))
    await is_down(service, "redis-read-only")
    await command(redis, "REPLICAOF", "NO", "ONE")
    await recovers(service, 9)


async def test_started_before_redis(make_redis: MakeRedis) -> None:
    """A service that starts while Redis is away turns deliveries away until it is there."""
    server = make_redis()
    server.kill()
    with served(server.url) as service:
        assert comes_back(await service.deliver(1))
        await is_down(service, "redis-unreachable")
        server.start()
        await recovers(service, 2)


async def test_acknowledged_marks_outlive_redis(make_redis: MakeRedis) -> None:
    """With an append-only file that is always synced, what got `204` is there after a crash."""
    server = make_redis(aof=True, appendfsync="always")
    with served(server.url) as service:
        sending = [asyncio.create_task(service.deliver(n)) for n in range(1, 200)]
        await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        server.kill()
        replies = await asyncio.gather(*sending)
        server.start()

        async with connect(server.url) as redis:
            taken = {n for n, reply in enumerate(replies, 1) if reply.status == 204}
            assert taken
            assert taken <= await marked(redis)


@pytest.mark.parametrize("command", [GRANIAN, LITESTAR], ids=["granian", "litestar"])
async def test_stopping_finishes_requests(make_redis: MakeRedis, command: Sequence[str]) -> None:
    """On SIGTERM a request in hand is answered, nothing new is taken, and the status is 0."""
    server = make_redis()
    with served(server.url, command=command) as service:
        assert (await service.deliver(1)).status == 204
        server.pause()
        in_hand = asyncio.create_task(service.deliver(2))
        await asyncio.sleep(0.1)
        service.process.terminate()
        await until(lambda: is_closed(service))
        server.resume()

        assert (await in_hand).status == 204
        await until(lambda: is_gone(service))
        assert service.process.status == 0

    async with connect(server.url) as redis:
        assert await marked(redis) == {1, 2}


async def is_gone(service: Served) -> bool:
    """Whether the process has ended."""
    return not service.process.running()


async def is_closed(service: Served) -> bool:
    """Whether the service takes no more connections."""
    return not service.listens()


@pytest.mark.parametrize("absent", ["HUBSPOT_CLIENT_SECRET", "PUBLIC_URL", "REDIS_URL"])
def test_missing_setting_is_no_start(redis_server: EmbeddedRedis, absent: str) -> None:
    """Without a secret, the public URL or Redis' address no server comes up."""
    environ = {
        "REDIS_URL": redis_server.url,
        "HUBSPOT_CLIENT_SECRET": "secret",
        "PUBLIC_URL": "https://hooks.example.com",
    }
    del environ[absent]

    ended = subprocess.run(
        GRANIAN,
        env=environ,
        cwd="/",
        capture_output=True,
        timeout=30,
        check=False,
        text=True,
    )

    assert ended.returncode != 0
    assert absent in ended.stdout + ended.stderr


def test_no_secret_no_app() -> None:
    """Settings without a secret make no application, wherever they come from."""
    with pytest.raises(ValueError, match="secret"):
        create_app(settings=Settings(public_url="https://x.example.com"))
