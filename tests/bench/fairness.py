"""What one account's import costs the other accounts: `python -m tests.bench.fairness`.

Single calls are logged in small accounts, in turn, first alone and then while a large one imports:
its backlog of 100,000 marked calls is drained within its limit of 110 requests in 10 s, and further
calls are logged in it all the time, each with some fifteen notifications. What counts is how old
the small accounts' calls are when they reach the stream. HubSpot answers in 50 ms.
"""

import argparse
import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from tests.bench.backlog import LIMIT, mark
from tests.bench.deployment import ages_ms, cpu_s, deployed
from tests.bench.sheet import Row, hand_in, percentile
from tests.simulator.messages import Create
from tests.support.crowd import MANY, connect_crowd
from tests.support.fleet import Fleet, Plan

SMALL: Final = 8
"""Accounts that single calls are logged in: each has one every four seconds, far from its limit."""
_CHUNK_S: Final = 0.2


async def log_singly(running: Fleet, portals: Sequence[int], calls: int, seed: int) -> list[int]:
    """Log calls half a second apart, each in the next account; return their ages in ms."""
    rng = random.Random(seed)
    since = {portal_id: len(await running.hubspot.changes(portal_id)) for portal_id in portals}
    for number in range(calls):
        deed = Create(properties={"hs_call_title": f"single {number}"})
        await running.hubspot.do(deed, portal_id=portals[number % len(portals)])
        await asyncio.sleep(rng.uniform(0.35, 0.65))
    await asyncio.sleep(2)
    return [
        age for portal_id in portals for age in await ages_ms(running, portal_id, since[portal_id])
    ]


@contextlib.asynccontextmanager
async def importing(running: Fleet, rate: float) -> AsyncGenerator[None]:
    """Let the first account import so many calls per second, with all their notifications."""

    async def go_on() -> None:
        while True:
            await running.hubspot.bulk(max(1, round(rate * _CHUNK_S)), told=True)
            await asyncio.sleep(_CHUNK_S)

    task = asyncio.create_task(go_on()) if rate else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def measure(*, backlog: int, rate: float, calls: int, workers: int, seed: int) -> Row:
    """Return the ages beside an idle and beside an importing account."""
    plan = Plan(
        services=1, workers=workers, rate_limit=LIMIT, knobs={"latency_ms": 50}, environ=MANY
    )
    async with deployed(plan) as running:
        portals = await connect_crowd(running, SMALL)
        await log_singly(running, portals, 2 * SMALL, seed)
        idle = await log_singly(running, portals, calls, seed)
        await mark(running, backlog)
        began_s = cpu_s(running.workers)
        async with importing(running, rate):
            await asyncio.sleep(3)
            busy = await log_singly(running, portals, calls, seed)
        told = (await running.hubspot.deliveries()).tally.delivered
        counts = (await running.hubspot.requests()).accounts[running.portal_id]
        return {
            "workers": workers,
            "import/s": rate,
            "calls": calls,
            "arrived": len(busy),
            "idle p50 ms": percentile(idle, 0.5),
            "idle p99 ms": percentile(idle, 0.99),
            "busy p50 ms": percentile(busy, 0.5),
            "busy p99 ms": percentile(busy, 0.99),
            "busy max ms": max(busy),
            "p99 ratio": percentile(busy, 0.99) / percentile(idle, 0.99),
            "notifications": told,
            "429s": counts.refused,
            "worker CPU s": round(cpu_s(running.workers) - began_s, 1),
        }


async def main() -> None:
    """Measure with each seed, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness")
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=50.0, help="calls imported per second (50)")
    parser.add_argument("--calls", type=int, default=100, help="single changes (100)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    rows = [
        await measure(
            backlog=given.backlog,
            rate=given.rate,
            calls=given.calls,
            workers=given.workers,
            seed=seed,
        )
        for seed in range(1, given.repeat + 1)
    ]
    hand_in("fairness", rows)


if __name__ == "__main__":
    asyncio.run(main())
