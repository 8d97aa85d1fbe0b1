"""What a burst costs: a thousand new calls, twenty-one notifications each, within two seconds."""

import asyncio
import time
from typing import Final

import msgspec

from tests.bench.latency import idle_fleet
from tests.simulator.messages import Create
from tests.simulator.model.subscriptions import SUBSCRIBED
from tests.support.fleet import Fleet

CALLS: Final = 1_000
WITHIN_S: Final = 2.0
STEPS: Final = 100
"""The calls are logged in so many even steps."""
BOUNDS: Final = {50: 15, 200: 25}
"""Object reads that may be needed, by the ms within which a call's notifications come."""


class Burst(msgspec.Struct, frozen=True, kw_only=True):
    """One burst."""

    spread_ms: int
    """A call's notifications came within this time."""
    calls: int
    notifications: int
    """Made by the changes."""
    logged_within_ms: int
    """From the first call to the last, as the stand-in logged them."""
    told_within_ms: int
    """From the first call to the last `204`."""
    published_within_ms: int
    """From the first call to quiet: all told, all read, nothing left in the ledger."""
    requests: int
    """HubSpot's, with up to a hundred notifications each."""
    object_reads: int
    association_reads: int
    events: int

    @property
    def kept_pace(self) -> bool:
        """Tell whether calls and notifications came as fast as they were meant to."""
        late_ms = 250
        return self.told_within_ms <= 1_000 * WITHIN_S + self.spread_ms + late_ms


async def measure(spread_ms: int) -> Burst:
    """Log the calls at an even pace, and count what is asked of HubSpot until all is quiet."""
    async with idle_fleet(spread_ms=spread_ms) as running:
        await _warm_up(running)
        first = len(await running.hubspot.changes(running.portal_id))
        began = time.time() * 1_000
        await _log_calls(running)
        await running.hubspot.quiet(timeout_s=60)
        evidence = await running.settle(60)
        ended = time.time() * 1_000
        requests = await running.hubspot.requests()
        tally = (await running.hubspot.deliveries()).tally
        changes = await running.hubspot.changes(running.portal_id, first)
        told = max(call.acknowledged_at or 0 for call in evidence.truth.values())
        since = changes[0].at
        return Burst(
            spread_ms=spread_ms,
            calls=len(changes),
            notifications=tally.made,
            logged_within_ms=changes[-1].at - since,
            told_within_ms=told - since,
            published_within_ms=round(ended - began),
            requests=tally.requests,
            object_reads=requests.object_reads,
            association_reads=requests.association_reads,
            events=len(evidence.events) - 1,
        )


async def _warm_up(running: Fleet) -> None:
    """Let one call through, so that connections, scripts and labels are there, and then count."""
    await running.hubspot.create({"hs_call_title": "first"})
    await running.settle(30)
    await asyncio.sleep(1)  # a new portal's known calls are read once more
    await running.settle(30)
    await running.hubspot.reset_counts()


async def _log_calls(running: Fleet) -> None:
    """Log the calls, at an even pace however long the orders take."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    orders: list[asyncio.Task[list[int]]] = []
    for step in range(STEPS):
        await asyncio.sleep(max(0.0, start + step * WITHIN_S / STEPS - loop.time()))
        properties = {name: f"{name} {step}" for name in SUBSCRIBED}
        calls = [Create(properties=properties) for _ in range(CALLS // STEPS)]
        orders.append(asyncio.create_task(running.hubspot.do(*calls)))
    await asyncio.gather(*orders)
