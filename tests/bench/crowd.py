"""Ten thousand accounts with one change each: `python -m tests.bench.crowd`.

Every account has installed the app and been backfilled; then one call is logged in each, as fast as
the stand-in takes them, and told. What counts is the CPU time and Redis' memory for one account,
and how long the deployment takes. Memory is looked at four times: connected, backfilled, right
after the change, and at rest, when everything that expires within half a minute has expired.
HubSpot answers at once.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence

import msgspec
from redis.asyncio import Redis

from jobs.redis import command, connect
from tests.bench.deployment import ages_of_all_ms, cpu_s, deployed, redis_cpu_s
from tests.bench.sheet import Row, hand_in, percentile
from tests.support.crowd import MANY, connect_crowd, log_a_call_each
from tests.support.fleet import Fleet, Plan
from tests.support.waiting import until

_EXPIRED_S = 30.0
"""After this long without work the logs of the budget's windows and all doorbells have expired."""
_PATIENCE_S = 900.0
_NOT_DATA = ("mem_clients_normal", "mem_aof_buffer", "mem_clients_slaves")
"""What the server holds for connections and its file, and not for keys."""


class Costs(msgspec.Struct, frozen=True):
    """CPU seconds used so far."""

    worker: float
    service: float
    redis: float

    def each_ms(self, since: "Costs", accounts: int) -> tuple[float, float, float]:
        """Return the ms used for one account: of workers, services and Redis."""
        used = (self.worker - since.worker, self.service - since.service, self.redis - since.redis)
        worker, service, redis = (1000 * seconds / accounts for seconds in used)
        return worker, service, redis


async def look(running: Fleet) -> Costs:
    """Return what has been used so far."""
    return Costs(cpu_s(running.workers), cpu_s(running.services), await redis_cpu_s(running.redis))


async def memory(url: str) -> int:
    """Return the bytes that the keys take, seen by a fresh client, whose buffers are small."""
    async with connect(url) as redis:
        told = await redis.info("memory")
    return int(told["used_memory"]) - sum(int(told[name]) for name in _NOT_DATA)


async def all_backfilled(running: Fleet, accounts: int) -> bool:
    """Tell whether so many accounts' backfills need no turn any more."""
    runs = f"{running.plan.namespace}:backfills"
    ended = await command(running.redis, "ZCOUNT", runs, "+inf", "+inf")
    return ended == accounts


async def all_read(running: Fleet, events: int) -> bool:
    """Tell whether so many events are on the stream and nothing is marked or leased any more."""
    space = running.plan.namespace
    on_stream = await command(running.redis, "XLEN", f"{space}:calls:{{0}}")
    waiting = await command(running.redis, "ZCARD", f"{space}:ledger:portals")
    return isinstance(on_stream, int) and on_stream >= events and waiting == 0


async def by_kind(redis: Redis, space: str, accounts: int) -> dict[str, float]:
    """Return the bytes for one account by kind of key: the part of its name that is no id."""
    sizes: dict[str, int] = {}
    async for key in redis.scan_iter(count=1_000):
        size = await command(redis, "MEMORY", "USAGE", key, "SAMPLES", 0)
        name = key.decode().removeprefix(f"{space}:")
        kind = ":".join(part for part in name.split(":") if not part.isdigit())
        sizes[kind] = sizes.get(kind, 0) + (size if isinstance(size, int) else 0)
    return {kind: sizes[kind] / accounts for kind in sorted(sizes, key=sizes.__getitem__)}


async def log_and_wait(running: Fleet, portals: Sequence[int]) -> tuple[float, float]:
    """Log a call in each account; return after how long all were logged, and all read, in s."""
    began = time.monotonic()
    await log_a_call_each(running, portals)
    logged_s = time.monotonic() - began
    await until(lambda: all_read(running, len(portals)), timeout_s=_PATIENCE_S, every_s=0.2)
    return logged_s, time.monotonic() - began


async def measure(*, accounts: int, workers: int, services: int) -> tuple[Row, list[Row]]:
    """Return the figures, and the bytes by kind of key at rest."""
    plan = Plan(services=services, workers=workers, environ=MANY)
    async with deployed(plan) as running:
        url = running.server.url
        empty = await memory(url)
        portals = await connect_crowd(running, accounts)
        connected, count = await memory(url), len(portals)
        began, before = time.monotonic(), await look(running)
        await until(lambda: all_backfilled(running, count + 1), timeout_s=_PATIENCE_S, every_s=0.5)
        backfilled_s = time.monotonic() - began
        since = await look(running)
        backfill_ms, _, _ = since.each_ms(before, count)
        await asyncio.sleep(_EXPIRED_S)
        backfilled, since = await memory(url), await look(running)
        await running.hubspot.reset_counts()
        logged_s, took_s = await log_and_wait(running, portals)
        worker_ms, service_ms, redis_ms = (await look(running)).each_ms(since, count)
        changed = await memory(url)
        ages = await ages_of_all_ms(running, portals)
        counts = (await running.hubspot.requests()).accounts
        await asyncio.sleep(_EXPIRED_S)
        at_rest = await memory(url)
        kinds = await by_kind(running.redis, plan.namespace, count)
        row: Row = {
            "accounts": count,
            "workers": workers,
            "services": services,
            "backfilled in s": round(backfilled_s, 1),
            "backfill worker ms": round(backfill_ms, 2),
            "logged in s": round(logged_s, 1),
            "all read in s": round(took_s, 1),
            "p50 ms": percentile(ages, 0.5),
            "p99 ms": percentile(ages, 0.99),
            "requests each": sum(sum(one.by_operation.values()) for one in counts.values()) / count,
            "worker ms": round(worker_ms, 2),
            "service ms": round(service_ms, 2),
            "Redis ms": round(redis_ms, 2),
            "connected B": round((connected - empty) / count),
            "backfilled B": round((backfilled - empty) / count),
            "changed B": round((changed - empty) / count),
            "at rest B": round((at_rest - empty) / count),
        }
        return row, [{"keys": kind, "B/account": size} for kind, size in kinds.items()]


async def main() -> None:
    """Measure each deployment."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd")
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--services", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    measured = [
        await measure(accounts=given.accounts, workers=given.workers, services=given.services)
        for _ in range(given.repeat)
    ]
    hand_in("crowd", [row for row, _ in measured])
    hand_in("crowd", measured[-1][1], part="keys")


if __name__ == "__main__":
    asyncio.run(main())
