"""What one account's import costs the other accounts: `python -m tests.bench.fairness`.

Single calls are logged in small accounts, in turn, while a large one alternately rests and imports:
then its backlog of 100,000 marked calls is drained within its limit, 110 requests in 10 s unless
told otherwise, and further calls are logged in it, each with some fifteen notifications. What
counts is how old the small accounts' calls are when they reach the stream. HubSpot answers in 50
ms.

Rest and import take turns because the machine's other load comes and goes. Whose CPU time an import
takes is told as well: all processes share the machine.
"""

import argparse
import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import msgspec

from tests.bench.backlog import LIMIT, mark, rest, wake
from tests.bench.deployment import cpu_s, deployed, first_events, logged_calls, redis_cpu_s
from tests.bench.sheet import Row, hand_in, percentile
from tests.simulator.messages import Create
from tests.support.crowd import MANY, connect_crowd
from tests.support.fleet import Fleet, Plan

SMALL: Final = 16
"""Accounts that single calls are logged in: each has one every four seconds, far from its limit."""
APART_S: Final = (0.15, 0.35)
"""How far apart they are logged."""
TURNS: Final = 4
"""Of rest, and as many of import."""
_CHUNK_S: Final = 0.2
_CALM_S: Final = 2.0
"""After so long the last calls are on the stream."""


async def log_singly(
    running: Fleet, portals: Sequence[int], calls: int, seed: int
) -> dict[str, int]:
    """Log calls shortly after each other, each in the next account; return when, by call."""
    rng = random.Random(seed)
    since = {portal_id: len(await running.hubspot.changes(portal_id)) for portal_id in portals}
    for number in range(calls):
        deed = Create(properties={"hs_call_title": f"single {number}"})
        await running.hubspot.do(deed, portal_id=portals[number % len(portals)])
        await asyncio.sleep(rng.uniform(*APART_S))
    await asyncio.sleep(_CALM_S)
    logged: dict[str, int] = {}
    for portal_id in portals:
        logged |= await logged_calls(running, portal_id, since[portal_id])
    return logged


@contextlib.asynccontextmanager
async def importing(running: Fleet, rate: float) -> AsyncGenerator[None]:
    """Let the first account import: its backlog, and so many calls per second that are told."""

    async def go_on() -> None:
        while True:
            await running.hubspot.bulk(max(1, round(rate * _CHUNK_S)), told=True)
            await asyncio.sleep(_CHUNK_S)

    await wake(running)
    task = asyncio.create_task(go_on()) if rate else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await rest(running)


async def cpu(running: Fleet) -> dict[str, float]:
    """Return the CPU seconds that each part of the deployment has used so far."""
    return {
        "stand-in": cpu_s([running.simulator]),
        "service": cpu_s(running.services),
        "worker": cpu_s(running.workers),
        "Redis": await redis_cpu_s(running.redis),
    }


class Import(msgspec.Struct, frozen=True):
    """What the large account does."""

    backlog: int
    """Marked calls that wait."""
    rate: float
    """Further calls that are logged per second."""
    limit: int
    """Of HubSpot's requests in 10 s."""


async def measure(load: Import, *, calls: int, workers: int, seed: int) -> Row:
    """Return the ages beside a resting and beside an importing account."""
    plan = Plan(
        services=1,
        workers=workers,
        balanced=False,
        rate_limit=load.limit,
        knobs={"latency_ms": 50},
        environ=MANY,
    )
    async with deployed(plan) as running:
        portals = await connect_crowd(running, SMALL)
        await log_singly(running, portals, 2 * SMALL, seed)
        await mark(running, load.backlog)
        beside_rest: dict[str, int] = {}
        beside_import: dict[str, int] = {}
        spent = dict.fromkeys(await cpu(running), 0.0)
        busy_s = 0.0
        for turn in range(TURNS):
            beside_rest |= await log_singly(running, portals, calls // TURNS, seed + turn)
            began, since = await cpu(running), time.monotonic()
            async with importing(running, load.rate):
                beside_import |= await log_singly(running, portals, calls // TURNS, -seed - turn)
            busy_s += time.monotonic() - since
            used = await cpu(running)
            spent = {name: spent[name] + used[name] - began[name] for name in spent}
        events = await first_events(running.redis, running.plan.namespace)
        idle, busy = (
            [events[call] - at for call, at in logged.items() if call in events]
            for logged in (beside_rest, beside_import)
        )
        imported = sum(call.startswith(f"{running.portal_id}:") for call in events)
        counts = (await running.hubspot.requests()).accounts[running.portal_id]
        return {
            "workers": workers,
            "limit": load.limit,
            "told/s": load.rate,
            "imported/s": round(imported / busy_s),
            "changes": calls,
            "arrived": min(len(idle), len(busy)),
            "idle p50 ms": percentile(idle, 0.5),
            "idle p99 ms": percentile(idle, 0.99),
            "busy p50 ms": percentile(busy, 0.5),
            "busy p99 ms": percentile(busy, 0.99),
            "busy max ms": max(busy),
            "p99 ratio": round(percentile(busy, 0.99) / percentile(idle, 0.99), 2),
            "429s": counts.refused,
            **{f"{name} CPU": f"{seconds / busy_s:.0%}" for name, seconds in spent.items()},
        }


async def main() -> None:
    """Measure with each seed, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness")
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=50.0, help="calls imported per second (50)")
    parser.add_argument("--limit", type=int, default=LIMIT, help=f"requests in 10 s ({LIMIT})")
    parser.add_argument("--calls", type=int, default=200, help="single changes (200)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    load = Import(given.backlog, given.rate, given.limit)
    rows = [
        await measure(load, calls=given.calls, workers=given.workers, seed=seed)
        for seed in range(1, given.repeat + 1)
    ]
    hand_in("fairness", rows)


if __name__ == "__main__":
    asyncio.run(main())
