"""How fast a backlog is drained within HubSpot's limit: `python -m tests.bench.backlog`.

Marked calls wait in one account; the limit is 110 requests in 10 s, of which 99 are ours; HubSpot
answers in 250 ms in the median and 1.5 s at the 99th percentile. Each hundred calls cost five
requests. Three deployments drain it: one worker; four workers and two services; the same beside
another process that asks with the same token for a third of the limit.

`--calls 50000` is the whole measurement, a good four minutes for each deployment. The rate is the
same after fewer, since it is the limit's.
"""

import argparse
import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import aiohttp
import msgspec

from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.queue import Doorbells, connect_queue
from jobs.redis import command
from jobs.timing import Timing
from tests.bench.deployment import cpu_s, deployed, redis_cpu_s
from tests.bench.sheet import Row, hand_in
from tests.support.fleet import Fleet, Plan

LIMIT: Final = 110
OURS: Final = 99
"""What the limit leaves us of ten seconds, without the reserve."""
WINDOW_S: Final = 10.25
LATENCY: Final = {"latency_ms": 250, "latency_p99_ms": 1_500}
LOOK_EVERY_S: Final = 0.25
A_THIRD_S: Final = 0.273
"""Asking this often is 36.6 requests in 10 s."""
_WINDOWS: Final = 2
"""So many are the least that a rate can be told from."""


class Case(msgspec.Struct, frozen=True):
    """A deployment that drains."""

    workers: int
    services: int
    beside: bool = False
    """Whether another process uses the token."""


CASES: Final = (Case(1, 1), Case(4, 2), Case(4, 2, beside=True))


async def rest(running: Fleet) -> None:
    """Have nothing of the account read until `wake`."""
    ledger = Ledger(running.redis, running.plan.namespace, Timing())
    await ledger.sleep(running.portal_id, 3_600_000, "at rest for a measurement")


async def wake(running: Fleet) -> None:
    """Have the account's marked calls read."""
    ledger = Ledger(running.redis, running.plan.namespace, Timing())
    queue = connect_queue(running.server.url, running.plan.namespace, "live")
    try:
        bells = await ledger.wake(running.portal_id)
        await Doorbells(queue, running.plan.namespace).ring(bells)
    finally:
        await queue.aclose(close_connection_pool=True)


async def mark(running: Fleet, calls: int) -> None:
    """Mark so many calls of the account's past, which is at rest from then on."""
    await running.hubspot.bulk(calls)
    await rest(running)
    ledger = Ledger(running.redis, running.plan.namespace, Timing())
    portal_id = running.portal_id
    ids = [*await running.hubspot.truth(portal_id)]
    for start in range(0, len(ids), 1_000):
        hint = Hint(origin="reconciliation")
        await ledger.mark([Mark(portal_id, one, (hint,)) for one in ids[start : start + 1_000]])


@contextlib.asynccontextmanager
async def another_process(running: Fleet, *, asks: bool) -> AsyncGenerator[Counter[int]]:
    """Let another process use the token, if it `asks`; yields what it was answered, by status."""
    answers: Counter[int] = Counter()

    async def ask(http: aiohttp.ClientSession) -> None:
        async with http.get("/crm/objects/2026-03/calls?limit=1") as answer:
            answers[answer.status] += 1

    async def go_on() -> None:
        headers = {"Authorization": f"Bearer {running.running.token}"}
        async with (
            aiohttp.ClientSession(running.running.url, headers=headers) as http,
            asyncio.TaskGroup() as group,
        ):
            while True:
                group.create_task(ask(http))
                await asyncio.sleep(A_THIRD_S)

    task = asyncio.create_task(go_on()) if asks else None
    try:
        yield answers
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def watch(running: Fleet, answers: Counter[int]) -> list[tuple[float, int]]:
    """Return how many requests of ours had come in at which second, until nothing is left to do."""
    space = f"{running.plan.namespace}:ledger:{running.portal_id}"
    began, seen = time.monotonic(), [(0.0, 0)]
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        counts = (await running.hubspot.requests()).accounts.get(running.portal_id)
        passed = 0 if counts is None else sum(counts.by_operation.values()) - counts.refused
        seen.append((time.monotonic() - began, passed - answers[200]))
        waiting = [
            await command(running.redis, "ZCARD", f"{space}:{room}") for room in ("due", "leases")
        ]
        if waiting == [0, 0]:
            return seen


async def measure(case: Case, calls: int) -> Row:
    """Drain a backlog and return the figures."""
    plan = Plan(
        services=case.services,
        workers=case.workers,
        rate_limit=LIMIT,
        knobs=LATENCY,
        environ={"HUBSPOT_RATE_LIMIT": f"{LIMIT}"},
    )
    async with deployed(plan) as running:
        async with another_process(running, asks=case.beside) as answers:
            if case.beside:
                await asyncio.sleep(WINDOW_S)
            await mark(running, calls)
            await running.hubspot.reset_counts()
            await wake(running)
            answers.clear()
            began_s, began_redis_s = cpu_s(running.workers), await redis_cpu_s(running.redis)
            seen = await watch(running, answers)
            theirs = answers[429]
            refused = (await running.hubspot.requests()).accounts[running.portal_id].refused
        took_s, requests = seen[-1]
        return {
            "workers": case.workers,
            "services": case.services,
            "others": "a third" if case.beside else "none",
            "calls": calls,
            "seconds": round(took_s, 1),
            "requests": requests,
            "per 10 s": round(10 * requests / took_s, 1),
            "in later windows": steady(seen),
            "of 99": f"{10 * requests / took_s / OURS:.1%}",
            "our 429s": refused - theirs,
            "their 429s": theirs,
            "worker CPU s": round(cpu_s(running.workers) - began_s, 1),
            "Redis CPU s": round(await redis_cpu_s(running.redis) - began_redis_s, 1),
        }


def steady(seen: Sequence[tuple[float, int]]) -> float | None:
    """Return the requests in 10 s after the first window, over whole windows; None in the first.

    A window may go in one burst, so that only moments a whole window apart are alike.
    """
    windows = int(seen[-1][0] / WINDOW_S)
    if windows < _WINDOWS:
        return None
    at_end = {number: _by(seen, number * WINDOW_S) for number in (1, windows)}
    return 10 * (at_end[windows] - at_end[1]) / (WINDOW_S * (windows - 1))


def _by(seen: Sequence[tuple[float, int]], moment_s: float) -> int:
    return max(count for at, count in seen if at <= moment_s)


async def main() -> None:
    """Measure each deployment, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backlog")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this deployment")
    given = parser.parse_args()
    cases = CASES if given.case is None else CASES[given.case : given.case + 1]
    hand_in("backlog", [await measure(case, given.calls) for case in cases])


if __name__ == "__main__":
    asyncio.run(main())
