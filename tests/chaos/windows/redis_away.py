"""Redis is away for a while and comes back with all its data."""

import asyncio
from typing import Final

from tests.chaos.deployment import Layout
from tests.chaos.scene import Scene, is_stopped
from tests.chaos.window import Proof, Strike, Window

TIMES: Final = 2
AWAY_S: Final = 0.5
FROZEN_S: Final = 20.0
A_LONGER_DAY: Final = Layout(knobs={"retry_span_ms": 60_000})
"""HubSpot's day of retries must outlast the fault."""


async def _kill(scene: Scene) -> Proof:
    """SIGKILL Redis and start it again: the kernel keeps what was written to the file."""
    names = {await scene.run_id()}
    for _ in range(TIMES):
        await scene.moment()
        await asyncio.to_thread(scene.running.server.kill)
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(scene.running.server.start)
        scene.over()
        names.add(await scene.run_id())
    return Proof(count=len(names) - 1, what="new run ids", needed=TIMES)


def _freeze(seconds: float) -> Strike:
    """SIGSTOP Redis for so long, then SIGCONT."""

    async def strike(scene: Scene) -> Proof:
        server = scene.running.server
        await scene.moment()
        await asyncio.to_thread(server.pause)
        stopped = await is_stopped(server.pid)
        await scene.scaled(seconds)
        await asyncio.to_thread(server.resume)
        scene.over()
        await scene.moment()
        silent_ms = round(scene.canaries[0].silent_s * 1000)
        least = round(0.9 * seconds * scene.scale * 1000)
        count = silent_ms if stopped else 0
        return Proof(count=count, what="ms of silence that the canary heard", needed=least)

    return strike


WINDOWS: Final = (
    Window(
        name="redis-sigkill",
        fault=f"SIGKILL of Redis, {TIMES} times, restarted on its append-only file",
        strike=_kill,
    ),
    Window(
        name="redis-sigstop",
        fault=f"Redis stopped for {FROZEN_S:.0f} s, then continued",
        strike=_freeze(FROZEN_S),
    ),
    Window(
        name="redis-sigstop-full",
        fault=f"the same with every wait at its full length: {FROZEN_S:.0f} s are 20 s",
        strike=_freeze(FROZEN_S),
        scale=1.0,
        layout=A_LONGER_DAY,
        settled_within_s=240.0,
    ),
)
