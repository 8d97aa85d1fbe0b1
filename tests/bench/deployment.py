"""A fleet of real processes for a measurement, and what can be read off it from outside."""

import contextlib
import tempfile
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from service.embedded.server import EmbeddedRedis
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.program import Program

_PAGE = 5_000
_TICKS_PER_S = 100


@contextlib.asynccontextmanager
async def deployed(plan: Plan) -> AsyncGenerator[Fleet]:
    """Run a deployment on a Redis of its own until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="callstream-bench-") as folder,
        EmbeddedRedis() as redis,
    ):
        async with fleet(plan, Path(folder), redis) as running:
            yield running


async def first_events(redis: Redis, namespace: str) -> dict[str, int]:
    """Return when each call's first event was appended, in Redis' epoch ms, by `partitionkey`."""
    told = await command(redis, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
    partitions = int(told) if isinstance(told, bytes) else 0
    found: dict[str, int] = {}
    for partition in range(partitions):
        start = "-"
        while page := await redis.xrange(keys.stream(namespace, partition), start, count=_PAGE):
            start = f"({page[-1][0].decode()}"
            for entry_id, fields in page:
                appended_at = int(entry_id.partition(b"-")[0])
                found.setdefault(fields[b"partitionkey"].decode(), appended_at)
    return found


async def ages_of_all_ms(running: Fleet, portals: Sequence[int]) -> list[int]:
    """Return how old the first call of each account was when its first event was appended."""
    events = await first_events(running.redis, running.plan.namespace)
    of_portal = {int(key.partition(":")[0]): appended_at for key, appended_at in events.items()}
    ages: list[int] = []
    for portal_id in portals:
        (change, *_) = await running.hubspot.changes(portal_id)
        ages.append(of_portal[portal_id] - change.at)
    return ages


async def ages_ms(running: Fleet, portal_id: int, since: int = 0) -> list[int]:
    """Return how old each new call of an account was when its first event was appended.

    Args:
        running: the deployment; the stand-in's clock must be the machine's.
        portal_id: the account.
        since: the index of the first change that counts.
    """
    events = await first_events(running.redis, running.plan.namespace)
    logged = await logged_calls(running, portal_id, since)
    return [events[key] - at for key, at in logged.items() if key in events]


async def logged_calls(running: Fleet, portal_id: int, since: int = 0) -> dict[str, int]:
    """Return when each call of an account was logged, in epoch ms, by `partitionkey`.

    Args:
        running: the deployment.
        portal_id: the account.
        since: the index of the first change that counts.
    """
    logged: dict[str, int] = {}
    for change in await running.hubspot.changes(portal_id, since):
        logged.setdefault(keys.partition_key(portal_id, change.call_id), change.at)
    return logged


def cpu_s(programs: Iterable[Program]) -> float:
    """Return the CPU time that the programs and their children have used so far (Linux)."""
    groups = {program.pid for program in programs}
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name in brackets: state, parent, process group, ...; then the times.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) in groups:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_S


async def redis_cpu_s(redis: Redis) -> float:
    """Return the CPU time that the Redis server has used so far."""
    told = await redis.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
