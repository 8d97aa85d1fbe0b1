"""What the doctor finds about a Redis: each finding on a server that is really so."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from callstream_client import keys
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.redis import command, connect
from service.doctor.findings import Finding, Notes
from service.doctor.redis import examine_redis, examine_streams
from service.doctor.redis_facts import Facts, judge_redis
from service.embedded.server import EmbeddedRedis
from tests.support.checkup import levels, short, todo
from tests.support.redis import MakeRedis
from tests.support.waiting import until

KEPT = {"appendonly": "yes", "appendfsync": "everysec", "save": ""}


def settings_of(server: EmbeddedRedis | str, **settings: object) -> Settings:
    """Return settings with a server."""
    url = server if isinstance(server, str) else server.url
    return Settings(redis_url=url, streams_redis_url=url, **settings)  # type: ignore[arg-type]


async def examined(server: EmbeddedRedis | str, **settings: object) -> Sequence[Finding]:
    """Return the findings about a server."""
    return await examine_redis(settings_of(server, **settings))


async def test_a_good_server(make_redis: MakeRedis) -> None:
    """A server that keeps its data, evicts nothing and has room is well in every respect."""
    server = make_redis(aof=True, maxmemory="100mb")
    found = short(await examined(server))
    assert {level for level, _ in found.values()} == {"ok"}
    assert found["persistence"] == ("ok", "append-only file, appendfsync everysec")
    assert found["eviction"] == ("ok", "noeviction")
    assert found["headroom"][1].endswith("of 100.0 MiB used")
    assert found["partitions"] == ("ok", "1, to be fixed by the first process")
    assert found["version"][1].startswith(("Redis", "Valkey"))


async def test_nothing_is_left_behind(redis: Redis, redis_url: str, namespace: str) -> None:
    """The examination writes nothing but the probe, inside of the namespace."""
    await examined(redis_url, namespace=namespace)
    assert await redis.keys() == [f"{namespace}:health:probe".encode()]


@pytest.mark.one_redis
@pytest.mark.parametrize(
    ("options", "level", "said"),
    [
        ({"save": ""}, "problem", "none: a restart loses every acknowledged change"),
        ({"save": "60 1"}, "warning", "snapshots only"),
        (
            {"appendonly": "yes", "appendfsync": "no"},
            "warning",
            "written whenever the system likes",
        ),
        ({"appendonly": "yes", "appendfsync": "always"}, "ok", "appendfsync always"),
    ],
)
async def test_persistence(
    make_redis: MakeRedis, options: dict[str, str], level: str, said: str
) -> None:
    """What a restart would lose is told."""
    found = short(await examined(make_redis(**options)))
    assert found["persistence"][0] == level
    assert said in found["persistence"][1]


async def test_files_that_cannot_be_written(make_redis: MakeRedis) -> None:
    """A snapshot that failed is told before anything else about files."""
    server = make_redis(save="60 1")
    async with connect(server.url) as redis:
        folder = msgspec.convert(await command(redis, "CONFIG", "GET", "dir"), list[bytes])[1]
        (Path(folder.decode()) / "dump.rdb" / "in the way").mkdir(parents=True)
        await command(redis, "BGSAVE")

        async def failed() -> bool:
            return bool((await redis.info("persistence"))["rdb_last_bgsave_status"] == "err")

        await until(failed)
    found = short(await examined(server))
    # Valkey refuses new connections in this state.
    level, said = found.get("persistence") or found["reachable"]
    assert level == "problem"
    assert "rdb_last_bgsave_status" in said or said.endswith(": redis-unwritable")


@pytest.mark.one_redis
@pytest.mark.parametrize(
    ("options", "level", "said"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "warning", "without effect while maxmemory"),
        (
            {"maxmemory_policy": "allkeys-lru", "maxmemory": "100mb"},
            "problem",
            "whole streams and marks are dropped",
        ),
        (
            {"maxmemory_policy": "volatile-ttl", "maxmemory": "100mb"},
            "warning",
            "jobs are dropped",
        ),
    ],
)
async def test_eviction(
    make_redis: MakeRedis, options: dict[str, str], level: str, said: str
) -> None:
    """A policy that drops data is told with what it would drop."""
    found = await examined(make_redis(**options))
    assert short(found)["eviction"][0] == level
    assert said in short(found)["eviction"][1]
    assert todo(found, "eviction") == "set maxmemory-policy noeviction"


@pytest.mark.parametrize(
    ("share", "level", "writes"),
    [
        (0.5, "ok", "ok"),
        (0.8, "warning", "ok"),
        (0.95, "problem", "ok"),
        (1.1, "problem", "problem"),
    ],
)
async def test_headroom(make_redis: MakeRedis, share: float, level: str, writes: str) -> None:
    """Little room is a warning, hardly any a problem; a full server takes no writes."""
    server = make_redis(maxmemory_policy="noeviction")
    async with connect(server.url) as redis:
        # Made in the server: what is sent there fills a buffer that is soon given back.
        await command(redis, "EVAL", "redis.call('SET', 'x', ('x'):rep(3e7))", 0)
        used = int((await redis.info("memory"))["used_memory"])
        await command(redis, "CONFIG", "SET", "maxmemory", round(used / share))
    found = await examined(server)
    assert levels(found)["headroom"] == level
    assert short(found)["writes"] == (
        ("ok", "taken") if writes == "ok" else ("problem", "a small write is refused: redis-full")
    )


async def test_a_replica(make_redis: MakeRedis) -> None:
    """A replica takes no writes, which is told with what to name instead."""
    primary = make_redis(port=0, save="")
    replica = make_redis(save="")
    async with connect(replica.url) as redis:
        await command(redis, "REPLICAOF", "127.0.0.1", "1")
    found = await examined(replica)
    assert short(found)["writes"] == ("problem", "this is a replica, which takes none")
    assert levels(await examined(primary))["writes"] == "ok"


async def test_a_cluster_node(make_redis: MakeRedis) -> None:
    """A node of a Redis Cluster is no place for the queue."""
    found = await examined(make_redis(cluster_enabled="yes"))
    assert levels(found)["writes"] == "problem"
    assert "Cluster" in short(found)["writes"][1]


@pytest.mark.one_redis
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:pw@127.0.0.1:1", "redis://127.0.0.1:1: redis-unreachable"),
        ("unix:///nowhere/redis.sock", "unix:///nowhere/redis.sock: redis-unreachable"),
        ("redis+sentinel://127.0.0.1:26379/service", "redis+sentinel://127.0.0.1:26379/service: "),
    ],
)
async def test_nobody_there(url: str, said: str) -> None:
    """A Redis that is not there is one problem, whatever else would be asked."""
    (finding,) = await examined(url)
    assert (finding.check, finding.level) == ("reachable", "problem")
    assert finding.said.startswith(said)


async def test_a_wrong_password(make_redis: MakeRedis) -> None:
    """Credentials that are refused are told, without them."""
    server = make_redis()
    async with connect(server.url) as redis:
        await command(redis, "CONFIG", "SET", "requirepass", "open-sesame")
    for url in (server.url, server.url.replace("unix://", "unix://:sesame@")):
        (finding,) = await examined(url)
        assert finding.said.endswith(": redis-denied")
        assert "user and password" in finding.todo
        assert "sesame" not in str(finding)
    found = await examined(server.url.replace("unix://", "unix://:open-sesame@"))
    assert levels(found)["writes"] == "ok"
    assert "sesame" not in str(found)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"appendonly": "yes"}, ("ok", "append-only file, appendfsync not told")),
        (
            {"save": "60 1"},
            (
                "warning",
                "no append-only file, and it does not tell whether it takes snapshots",
            ),
        ),
    ],
)
async def test_a_user_without_config(
    make_redis: MakeRedis, options: dict[str, str], said: tuple[str, str]
) -> None:
    """Where CONFIG is not allowed, as on managed servers, what INFO tells must do."""
    server = make_redis(**options)
    rights = ("on", ">pw", "~*", "+@all", "-config")
    async with connect(server.url) as redis:
        await command(redis, "ACL", "SETUSER", "callstream", *rights)
    found = short(await examined(server.url.replace("unix://", "unix://callstream:pw@")))
    assert found["persistence"] == said


async def test_a_user_who_may_not_write(make_redis: MakeRedis) -> None:
    """Rights that are too small are told as such."""
    server = make_redis()
    async with connect(server.url) as redis:
        await command(redis, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", "-set")
    found = await examined(server.url.replace("unix://", "unix://reader:pw@"))
    assert short(found)["writes"] == ("problem", "a small write is refused: redis-denied")
    assert "ACL" in todo(found, "writes")


async def test_durability(make_redis: MakeRedis, redis_server: EmbeddedRedis) -> None:
    """A promise that the server cannot keep is a problem before the first delivery."""
    bare, kept = make_redis(save=""), make_redis(aof=True)
    assert levels(await examined(bare))["durability"] == "ok"
    assert levels(await examined(bare, durability="replicated"))["durability"] == "problem"
    found = short(await examined(bare, durability="fsync"))
    assert "no append-only file" in found["durability"][1]
    waits = redis_server.binary.version >= (7, 2)
    found = short(await examined(kept, durability="fsync"))
    assert found["durability"][0] == ("ok" if waits else "problem")
    async with connect(kept.url) as redis:
        await command(redis, "CONFIG", "SET", "appendfsync", "always")
    assert levels(await examined(kept, durability="fsync"))["durability"] == "ok"


async def test_a_replica_keeps_the_promise(make_redis: MakeRedis) -> None:
    """With a replica, `replicated` can be kept, and missing files are less of a loss."""
    primary = make_redis(port=0, save="", repl_diskless_sync_delay="0")
    replica = make_redis(save="")
    port = primary.url.rpartition(":")[2].removesuffix("/0")
    async with connect(replica.url) as redis:
        await command(redis, "REPLICAOF", "127.0.0.1", port)
    async with connect(primary.url) as pooled, pooled.client() as redis:
        await command(redis, "SET", "first", "write")
        assert await command(redis, "WAIT", 1, 30_000) == 1
    found = short(await examined(primary, durability="replicated"))
    assert found["durability"][0] == "ok"
    assert found["persistence"][0] == "warning"


async def test_partitions(redis: Redis, redis_url: str, namespace: str) -> None:
    """Streams that were begun with another number of partitions are a problem."""
    await command(redis, "HSET", keys.meta(namespace), keys.META_PARTITIONS, 4)
    found = await examined(redis_url, namespace=namespace)
    assert levels(found)["partitions"] == "problem"
    assert todo(found, "partitions") == "set STREAM_PARTITIONS=4"
    found = await examined(redis_url, namespace=namespace, stream_partitions=4)
    assert short(found)["partitions"] == ("ok", "4")


async def test_two_servers(make_redis: MakeRedis) -> None:
    """Streams elsewhere are examined there, and only there for their partitions."""
    ledger, streams = make_redis(), make_redis(maxmemory="100mb", maxmemory_policy="allkeys-lfu")
    settings = Settings(redis_url=ledger.url, streams_redis_url=streams.url)
    assert "partitions" not in levels(await examine_redis(settings))
    found = levels(await examine_streams(settings))
    assert found["eviction"] == "problem"
    assert found["partitions"] == "ok"
    assert "durability" not in found
    assert await examine_streams(settings_of(ledger)) == ()


async def test_without_a_redis() -> None:
    """Without REDIS_URL there is nothing to examine, which is said."""
    (finding,) = await examine_redis(Settings())
    assert finding.level == "warning"


@pytest.mark.parametrize(
    ("version", "level"), [("6.0.16", "problem"), ("6.2.0", "ok"), ("7.4.1", "ok"), ("", "problem")]
)
def test_versions(version: str, level: str) -> None:
    """Servers older than 6.2, or that do not say what they are, are refused."""
    notes = Notes("redis")
    judge_redis(Facts(info={"redis_version": version}, config={}), notes)
    assert levels(notes.findings)["version"] == level


def test_an_unlimited_server_that_fills_its_machine() -> None:
    """Without maxmemory it is the machine's memory that counts."""
    notes = Notes("redis")
    info = {"used_memory": "7000000000", "total_system_memory": "10000000000"}
    judge_redis(Facts(info=info, config={}), notes)
    assert levels(notes.findings)["headroom"] == "warning"
