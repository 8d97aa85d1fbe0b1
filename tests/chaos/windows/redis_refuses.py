"""Redis answers, and takes no writes."""

import asyncio
from typing import Final

from jobs.redis import command
from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window

LASTS_S: Final = 2.0
_LEFT: Final = 20_000
"""Bytes that are still free when the limit is set."""


async def _fill(scene: Scene) -> Proof:
    """Set `maxmemory` to what is used and a little more, under `noeviction`."""
    before = await scene.errors_told("OOM")
    memory: dict[str, int] = await scene.running.redis.info("memory")
    await scene.set_redis("maxmemory", memory["used_memory"] + _LEFT)
    await asyncio.sleep(LASTS_S)
    refused = await scene.errors_told("OOM") - before
    await scene.set_redis("maxmemory", 0)
    return Proof(count=refused, what="commands answered OOM")


async def _read_only(scene: Scene) -> Proof:
    """Make the server a replica of nothing that lives: it answers READONLY."""
    before = await scene.errors_told("READONLY")
    await command(scene.running.redis, "REPLICAOF", "127.0.0.1", 1)
    await asyncio.sleep(LASTS_S)
    refused = await scene.errors_told("READONLY") - before
    await command(scene.running.redis, "REPLICAOF", "NO", "ONE")
    return Proof(count=refused, what="commands answered READONLY")


WINDOWS: Final = (
    Window(
        name="redis-full",
        fault=f"maxmemory reached under noeviction, for {LASTS_S:.0f} s",
        strike=_fill,
    ),
    Window(
        name="redis-read-only",
        fault=f"a read-only server behind the URL, for {LASTS_S:.0f} s",
        strike=_read_only,
    ),
)
