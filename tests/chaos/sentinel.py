"""A Sentinel for one server and its replicas: the embedded server's own binary, in that mode."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import msgspec
from redis.asyncio import Redis

from jobs.redis import TRANSIENT, command, connect
from service.addresses import free_port
from service.embedded.child import Kept
from service.embedded.server import EmbeddedRedis
from tests.support.waiting import until

NAME: Final = "chaos"
DOWN_AFTER_MS: Final = 200
KNOWS_WITHIN_S: Final = 10.0


class Sentinel:
    """Watches one server; made by `sentinel_of`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def knows_replica(self) -> bool:
        """Whether it answers and has found a replica that it could promote."""
        try:
            told = await command(self._redis, "SENTINEL", "MASTER", NAME)
        except TRANSIENT:
            return False
        words = msgspec.convert(told, list[bytes])
        fields = dict(zip(words[::2], words[1::2], strict=True))
        return int(fields[b"num-slaves"]) > 0

    async def master_port(self) -> int:
        """Return the port of the server that it now calls the master."""
        told = await command(self._redis, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        _, port = msgspec.convert(told, tuple[bytes, bytes])
        return int(port)


@contextlib.asynccontextmanager
async def sentinel_of(server: EmbeddedRedis, port: int, folder: Path) -> AsyncGenerator[Sentinel]:
    """Watch `server`, which listens on `port`, until the block ends."""
    own = free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {own}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/sentinel.log\n"
        f"sentinel monitor {NAME} 127.0.0.1 {port} 1\n"
        f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
        f"sentinel failover-timeout {NAME} 5000\n"
    )
    kept = Kept([server.binary.path, str(config), "--sentinel"])
    try:
        await asyncio.to_thread(kept.start)
        async with connect(f"redis://127.0.0.1:{own}", timeout_s=1, retries=20) as redis:
            sentinel = Sentinel(redis)
            await until(sentinel.knows_replica, timeout_s=KNOWS_WITHIN_S)
            yield sentinel
    finally:
        await asyncio.to_thread(kept.close)
