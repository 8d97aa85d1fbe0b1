"""The network between any two parts delays, stalls, cuts and resets."""

import asyncio
from collections.abc import Callable
from typing import Final

from tests.chaos.deployment import BETWEEN, Layout
from tests.chaos.link import Link
from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Strike, Window

LINKED: Final = Layout(linked=True)
TIMES: Final = 3
LATE_MS: Final = 40
LASTS_S: Final = 1.0
STALLED_S: Final = 12.0
"""Longer than a request to HubSpot may take, before scaling."""


def _drop(drop: Callable[[Link], int], what: str) -> Strike:
    """Drop all connections of every link, one link after the other, at random moments."""

    async def strike(scene: Scene) -> Proof:
        least: list[int] = []
        for between in scene.rng.sample(BETWEEN, k=len(BETWEEN)):
            dropped = 0
            for _ in range(TIMES):
                await scene.moment(0.05, 0.3)
                dropped += sum(map(drop, scene.running.links[between]))
            least.append(dropped)
        return Proof(count=min(least), what=f"connections {what} on the link with the fewest")

    return strike


async def _delay(scene: Scene) -> Proof:
    """Hold every piece back, on one link after the other."""
    least: list[int] = []
    for between in scene.rng.sample(BETWEEN, k=len(BETWEEN)):
        links = scene.running.links[between]
        for link in links:
            link.delay_ms = LATE_MS
        await asyncio.sleep(LASTS_S)
        for link in links:
            link.heal()
        least.append(sum(link.delayed for link in links))
    return Proof(count=min(least), what="pieces delayed on the link with the fewest")


async def _stall(scene: Scene) -> Proof:
    """Carry nothing for a while and close nothing, on one link after the other."""
    least: list[int] = []
    for between in scene.rng.sample(BETWEEN, k=len(BETWEEN)):
        links = scene.running.links[between]
        for link in links:
            link.stall()
        await scene.scaled(STALLED_S)
        for link in links:
            link.heal()
        least.append(sum(link.stalled for link in links))
    return Proof(count=min(least), what="pieces that met a stalled link, on the one with fewest")


async def _part(scene: Scene) -> Proof:
    """Cut each link and let nothing through for a while: a partition."""
    least: list[int] = []
    for between in scene.rng.sample(BETWEEN, k=len(BETWEEN)):
        links = scene.running.links[between]
        for link in links:
            link.refusing = True
            link.reset()
        await asyncio.sleep(LASTS_S)
        for link in links:
            link.heal()
        least.append(sum(link.refused for link in links))
    return Proof(count=min(least), what="connections refused on the link with the fewest")


WINDOWS: Final = (
    Window(
        name="net-delay",
        fault=f"each link in turn carries everything {LATE_MS} ms later",
        strike=_delay,
        layout=LINKED,
    ),
    Window(
        name="net-stall",
        fault=f"each link in turn carries nothing for {STALLED_S:.0f} s, connections stay open",
        strike=_stall,
        layout=LINKED,
    ),
    Window(
        name="net-cut",
        fault=f"all connections of each link closed, {TIMES} times",
        strike=_drop(Link.cut, "cut"),
        layout=LINKED,
    ),
    Window(
        name="net-reset",
        fault=f"all connections of each link reset, {TIMES} times",
        strike=_drop(Link.reset, "reset"),
        layout=LINKED,
    ),
    Window(
        name="net-partition",
        fault=f"each link in turn refuses all connections for {LASTS_S:.0f} s",
        strike=_part,
        layout=LINKED,
    ),
)
