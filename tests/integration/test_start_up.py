"""A service says at its start what its Redis can promise, and warns of what it cannot."""

import json

import pytest

from tests.support.redis import MakeRedis
from tests.support.served import Served, served
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

PROMISES = "what this Redis promises"
WARNING = "Redis is not set up for this"


async def told(service: Served) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the service says of its Redis' promises, and its warnings by their check."""

    async def is_told() -> bool:
        return PROMISES in service.log

    await until(is_told, timeout_s=20)
    await until(is_told, timeout_s=1)
    lines = [json.loads(line) for line in service.log.splitlines() if line[0] == "{"]
    (promises,) = [line for line in lines if line["event"] == PROMISES]
    return promises, {line["check"]: line["found"] for line in lines if line["event"] == WARNING}


async def test_a_redis_that_keeps_everything(make_redis: MakeRedis) -> None:
    """A Redis that is set up as it should be gets its promises told, and no warning."""
    server = make_redis(aof=True, appendfsync="everysec", maxmemory_policy="noeviction")
    with served(server.url) as service:
        promises, warnings = await told(service)

    assert promises["persistence"] == "append-only file, appendfsync everysec"
    assert promises["durability"] == "DURABILITY=memory can be kept"
    assert promises["eviction"] == "noeviction"
    assert warnings == {}


async def test_a_redis_that_keeps_nothing(make_redis: MakeRedis) -> None:
    """Missing persistence and eviction are warned of, with what to do."""
    server = make_redis(maxmemory="100mb", maxmemory_policy="allkeys-lru")
    with served(server.url) as service:
        _, warnings = await told(service)

    assert warnings["persistence"].startswith("none")
    assert warnings["eviction"].startswith("allkeys-lru")


async def test_a_redis_that_comes_later(make_redis: MakeRedis) -> None:
    """A service that starts before its Redis tells as soon as that is there."""
    server = make_redis(aof=True, appendfsync="everysec")
    server.kill()
    with served(server.url) as service:
        assert PROMISES not in service.log
        server.start()
        promises, _ = await told(service)

    assert promises["which"] == "redis"
