"""Ten thousand accounts with one change each: `python -m tests.bench.crowd`.

Every account has installed the app; then one call is logged in each, as fast as the stand-in takes
them, and told. What counts is the worker's CPU time and Redis' memory for one account, and how long
the deployment takes. HubSpot answers at once.
"""

import argparse
import asyncio
import time

from redis.asyncio import Redis

from jobs.redis import command
from tests.bench.deployment import ages_of_all_ms, cpu_s, deployed, redis_cpu_s
from tests.bench.sheet import Row, hand_in, percentile
from tests.support.crowd import MANY, connect_crowd, log_a_call_each
from tests.support.fleet import Fleet, Plan
from tests.support.waiting import until

_SETTLED_S = 1.0
"""After this long without work, what expires soon has expired: doorbells, recent claims."""


async def memory(redis: Redis) -> int:
    """Return the bytes that the server's data takes."""
    told = await redis.info("memory")
    return int(told["used_memory_dataset"])


async def all_read(running: Fleet, events: int) -> bool:
    """Tell whether so many events are on the stream and no call is leased."""
    return await command(running.redis, "XLEN", f"{running.plan.namespace}:calls:{{0}}") == events


async def by_kind(redis: Redis, space: str, portals: int) -> dict[str, float]:
    """Return the bytes for one account by kind of key: the part of its name that is no id."""
    sizes: dict[str, int] = {}
    async for key in redis.scan_iter(match=f"{space}:*", count=1_000):
        size = await command(redis, "MEMORY", "USAGE", key, "SAMPLES", 0)
        parts = [part for part in key.decode().split(":")[1:] if not part.isdigit()]
        kind = ":".join(parts)
        sizes[kind] = sizes.get(kind, 0) + (size if isinstance(size, int) else 0)
    return {kind: sizes[kind] / portals for kind in sorted(sizes, key=sizes.__getitem__)}


async def measure(*, accounts: int, workers: int, services: int) -> tuple[Row, list[Row]]:
    """Return the figures, and the bytes by kind of key."""
    plan = Plan(services=services, workers=workers, environ=MANY)
    async with deployed(plan) as running:
        empty = await memory(running.redis)
        portals = await connect_crowd(running, accounts)
        connected = await memory(running.redis)
        cpu = [cpu_s(running.workers), cpu_s(running.services), await redis_cpu_s(running.redis)]
        began = time.monotonic()
        await log_a_call_each(running, portals)
        logged_s = time.monotonic() - began
        await until(lambda: all_read(running, len(portals)), timeout_s=600, every_s=0.2)
        took_s = time.monotonic() - began
        await asyncio.sleep(_SETTLED_S)
        worker, service, server = (
            after - before
            for before, after in zip(
                cpu,
                (cpu_s(running.workers), cpu_s(running.services), await redis_cpu_s(running.redis)),
                strict=True,
            )
        )
        ages = await ages_of_all_ms(running, portals)
        counts = (await running.hubspot.requests()).accounts
        requests = sum(sum(one.by_operation.values()) for one in counts.values())
        after = await memory(running.redis)
        count = len(portals)
        row: Row = {
            "accounts": count,
            "workers": workers,
            "services": services,
            "logged in s": round(logged_s, 1),
            "all read in s": round(took_s, 1),
            "p50 ms": percentile(ages, 0.5),
            "p99 ms": percentile(ages, 0.99),
            "requests/account": requests / count,
            "worker CPU ms/account": 1000 * worker / count,
            "service CPU ms/account": 1000 * service / count,
            "Redis CPU ms/account": 1000 * server / count,
            "connected B/account": round((connected - empty) / count),
            "with a change B/account": round((after - empty) / count),
        }
        kinds = await by_kind(running.redis, plan.namespace, count)
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
