"""What HubSpot's notifications do: a clock that is off, a call that is told before it is there."""

import asyncio
from typing import Final

from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window
from tests.simulator.messages import Create
from tests.simulator.switchboard import Fault

SIX_MINUTES_MS: Final = 360_000
LASTS_S: Final = 2.0
NEW: Final = 20
HIDDEN_S: Final = 0.5


async def _skew(scene: Scene) -> Proof:
    """Let the sender's clock be six minutes slow, then as much fast."""
    counts: list[int] = []
    for skew_ms in (-SIX_MINUTES_MS, SIX_MINUTES_MS):
        before = (await scene.hubspot.deliveries()).tally.statuses.get(401, 0)
        await scene.hubspot.turn(signature_skew_ms=skew_ms)
        await asyncio.sleep(LASTS_S)
        await scene.hubspot.turn(signature_skew_ms=0)
        counts.append((await scene.hubspot.deliveries()).tally.statuses.get(401, 0) - before)
    return Proof(count=min(counts), what="requests answered 401, of the rarer clock")


async def _not_there_yet(scene: Scene) -> Proof:
    """Log calls whose first reads find nothing: what is asked has not reached the replica."""
    fault = Fault(effect="stale", steps=1, operation="calls.*")
    fault_id = await scene.hubspot.fault(fault)
    for number in range(NEW):
        await scene.hubspot.do(Create(properties={"hs_call_title": f"Hidden {number}"}))
        await asyncio.sleep(HIDDEN_S / 10)
    await asyncio.sleep(HIDDEN_S)
    await scene.hubspot.clear_faults(fault_id)
    struck = (await scene.hubspot.faults()).struck[fault_id]
    return Proof(count=struck, what="reads answered without the new calls")


WINDOWS: Final = (
    Window(
        name="sender-clock",
        fault="the sender's clock six minutes slow, then six minutes fast",
        strike=_skew,
    ),
    Window(
        name="hubspot-404-new",
        fault="new calls cannot be read yet when they are told of",
        strike=_not_there_yet,
    ),
)
