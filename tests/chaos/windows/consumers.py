"""A consumer is killed between reading and acknowledging."""

import contextlib
from typing import Final

import msgspec
from callstream_client import keys

from jobs.redis import command
from tests.chaos.deployment import PARTITIONS
from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window
from tests.simulator.process import ROOT
from tests.support.evidence import read_events
from tests.support.program import Program
from tests.support.waiting import until

TIMES: Final = 5
GROUP: Final = "chaos"
CAUGHT_UP_WITHIN_S: Final = 30.0


class _Pending(msgspec.Struct):
    pending: int


async def _pending(scene: Scene) -> int:
    """Return how many entries the group was given and has not acknowledged."""
    redis, space = scene.running.streams, scene.running.plan.namespace
    asked = [
        await command(redis, "XPENDING", keys.stream(space, partition), GROUP)
        for partition in range(PARTITIONS)
    ]
    return sum(msgspec.convert(told, _Pending).pending for told in asked)


async def _kill(scene: Scene) -> Proof:
    """SIGKILL the consumer with entries in hand; what it printed must cover the streams."""
    running = scene.running
    consumer = Program(
        "consumer",
        ["-m", "tests.chaos.consumer", running.streams_url, running.plan.namespace, GROUP],
        folder=running.folder,
        inside=ROOT,
    )
    in_hand = 0

    async def is_at_work() -> bool:
        return bool(consumer.text())

    try:
        await consumer.start()
        await until(is_at_work, timeout_s=CAUGHT_UP_WITHIN_S)
        for _ in range(TIMES):
            await scene.moment(0.8, 1.2)
            await consumer.kill()
            in_hand += await _pending(scene) > 0
            await consumer.start()
        events, _ = await read_events(running.streams, running.plan.namespace)

        async def has_all() -> bool:
            handled = set(consumer.text().split())
            return all(event.id in handled for event in events)

        with contextlib.suppress(TimeoutError):
            await until(has_all, timeout_s=CAUGHT_UP_WITHIN_S, every_s=0.1)
        if not await has_all():
            scene.broken.append("the consumer has not handled every event")
    finally:
        consumer.close()
    return Proof(count=in_hand, what="kills with entries read and not acknowledged", needed=1)


WINDOWS: Final = (
    Window(
        name="consumer-sigkill",
        fault=f"SIGKILL of a consumer {TIMES} times, entries read and not acknowledged",
        strike=_kill,
    ),
)
