"""`DURABILITY` as operators meet it: a served process that starts, refuses to, or answers 503."""

from pathlib import Path

from jobs.redis import command, connect
from service.addresses import free_port
from tests.support.commands import CALLSTREAM, COMPLETE, run_command
from tests.support.redis import MakeRedis
from tests.support.served import served
from tests.support.waiting import until


async def test_fsync_is_refused_at_the_start(make_redis: MakeRedis, tmp_path: Path) -> None:
    """A Redis that cannot promise the disk ends the service at once, with one line that says so."""
    server = make_redis()
    ended = run_command(
        [*CALLSTREAM, "service", "--port", str(free_port())],
        tmp_path,
        REDIS_URL=server.url,
        DURABILITY="fsync",
        **COMPLETE,
    )

    assert ended.returncode != 0
    assert "DURABILITY: fsync is not what this Redis can promise" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_fsync_answers_for_the_disk(make_redis: MakeRedis) -> None:
    """`204` says that the mark is on disk; once the file is gone it is `503`, and back after."""
    server = make_redis(aof=True, appendfsync="always")
    async with connect(server.url) as redis:
        with served(server.url, DURABILITY="fsync") as service:
            assert (await service.deliver(1)).status == 204
            if server.binary.version < (7, 2):
                return  # without WAITAOF nothing can be asked later on
            await command(redis, "CONFIG", "SET", "appendonly", "no")
            assert (await service.deliver(2)).status == 503
            await command(redis, "CONFIG", "SET", "appendonly", "yes")

            async def taken() -> bool:
                return (await service.deliver(3)).status == 204

            await until(taken, timeout_s=20)


async def test_replicated_answers_for_a_replica(make_redis: MakeRedis) -> None:
    """`503` while no replica follows, `204` once one does."""
    primary = make_redis(port=0, repl_diskless_sync_delay="0")
    with served(primary.url, DURABILITY="replicated") as service:
        reply = await service.deliver(1)
        assert reply.status == 503
        assert "redis-unwritable" in str(reply.json["detail"])

        port = primary.url.rpartition(":")[2].removesuffix("/0")
        async with connect(make_redis().url) as replica:
            await command(replica, "REPLICAOF", "127.0.0.1", port)

        async def taken() -> bool:
            return (await service.deliver(2)).status == 204

        await until(taken, timeout_s=30)
