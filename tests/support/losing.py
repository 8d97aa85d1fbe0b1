"""Redis servers that lose what they were told: all of it, or its end."""

from pathlib import Path

from redis.asyncio import Redis

from jobs.redis import command, connect
from service.embedded.server import EmbeddedRedis

_SCRIPT_BEGINS = b"*1\r\n$5\r\nMULTI\r\n"


def append_only_file(server: EmbeddedRedis) -> Path:
    """Return the file that the server appends to."""
    parts = sorted(server.folder.glob("appendonlydir/*.incr.aof"))
    return parts[-1] if parts else server.folder / "appendonly.aof"


def tear_off(server: EmbeddedRedis, word: str) -> None:
    """Cut the script that wrote `word` first, and all that followed it, off a server's file.

    The server must not be running.
    """
    file = append_only_file(server)
    raw = file.read_bytes()
    written = raw.index(f"${len(word)}\r\n{word}\r\n".encode())
    file.write_bytes(raw[: raw.rindex(_SCRIPT_BEGINS, 0, written)])


async def follow(replica: EmbeddedRedis, primary: EmbeddedRedis) -> None:
    """Let one server replicate the other, which listens on a port, and wait until it does."""
    port = primary.url.rpartition(":")[2].removesuffix("/0")
    async with connect(replica.url) as redis:
        await command(redis, "REPLICAOF", "127.0.0.1", port)
    async with connect(primary.url) as pooled, pooled.client() as redis:
        await command(redis, "SET", "first", "write")
        assert await command(redis, "WAIT", 1, 30_000) == 1


async def is_marked(redis: Redis, namespace: str, portal_id: int, calls: set[int]) -> bool:
    """Tell whether the ledger takes all of the calls for changed."""
    key = f"{namespace}:ledger:{portal_id}:due"
    found = await redis.zrange(key, 0, -1)
    return calls <= {int(call) for call in found}
