"""A replica that lags behind takes over from a server that dies."""

import asyncio
import contextlib
from typing import Final

from jobs.redis import command, connect
from service.embedded.server import EmbeddedRedis
from tests.chaos.deployment import Layout
from tests.chaos.link import Link
from tests.chaos.scene import Scene
from tests.chaos.sentinel import Sentinel, sentinel_of
from tests.chaos.window import Proof, Window
from tests.support.waiting import until

LAG_S: Final = 5.0
"""Of production's time: services remember the marks of the last 10 s."""
LIFE_S: Final = 2.0
WITHIN_S: Final = 20.0


async def _promote(scene: Scene) -> Proof:
    """Let a replica fall behind, kill the server, and have Sentinel promote the replica.

    The address stays: what is behind it changes, as with a virtual address.
    """
    running = scene.running
    async with contextlib.AsyncExitStack() as stack:
        replica = await scene.stack.enter_async_context(EmbeddedRedis(aof=True, port=0))
        line = await stack.enter_async_context(Link("replication", running.server.url))
        await _follow(replica, line)
        await asyncio.sleep(LIFE_S)
        port = _port(running.server.url)
        sentinel = await stack.enter_async_context(
            sentinel_of(running.server, port, running.folder)
        )
        line.stall()
        await scene.scaled(LAG_S)
        await asyncio.to_thread(running.server.kill)
        line.refusing = True
        line.reset()
        promoted = await _promoted(sentinel, port)
        running.move_redis(f"redis://127.0.0.1:{promoted}/0")
        scene.over()
        await scene.moment()
    lost = sum(loss.writes for loss in scene.canaries[0].losses)
    return Proof(count=lost, what="canary's writes that the promoted replica never got")


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


async def _follow(replica: EmbeddedRedis, line: Link) -> None:
    """Let the replica follow over the line until it is in step."""
    async with connect(replica.url, timeout_s=2) as redis:
        await command(redis, "REPLICAOF", "127.0.0.1", line.port)

        async def in_step() -> bool:
            told: dict[str, str] = await redis.info("replication")
            return told.get("master_link_status") == "up"

        await until(in_step, timeout_s=WITHIN_S)


async def _promoted(sentinel: Sentinel, port: int) -> int:
    """Wait until Sentinel calls another server the master; return that one's port."""

    async def is_done() -> bool:
        return await sentinel.master_port() != port

    await until(is_done, timeout_s=WITHIN_S)
    return await sentinel.master_port()


WINDOWS: Final = (
    Window(
        name="replica-promoted",
        fault=f"Redis killed; Sentinel promotes a replica that lags {LAG_S:.0f} s behind",
        strike=_promote,
        promise="exact",
        settled_within_s=90.0,
        layout=Layout(linked=True, tcp=True),
    ),
)
