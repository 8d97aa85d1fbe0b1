"""A stand-in, a Redis and one worker of the collections queue, and what they use up."""

import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from redis.asyncio import Redis

from jobs.backfill.operate import Backfills
from jobs.backfill.record import Run
from jobs.ledger.ledger import Ledger
from jobs.queue import Turns, connect_queue
from jobs.redis import command, connect
from jobs.stream.records import Records
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from tests.bench.deployment import cpu_s
from tests.simulator.control import Control
from tests.simulator.process import ROOT, Running
from tests.support.processes import eventually
from tests.support.program import Program

NAMESPACE: Final = "bench"
KEPT: Final = "20s"
"""How long events are kept, so that a million of them need no memory."""
BULK: Final = 50_000
FREED_AT_ONCE: Final = {"lazyfree-lazy-user-del": "no"}
"""Valkey frees in the background, which would be counted."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What was used up until a moment."""

    at: float
    pages: int
    worker_cpu_s: float
    redis_cpu_s: float
    worker_mib: int
    stand_in_mib: int


class HubSpot:
    """The stand-in of a measurement."""

    def __init__(self, running: Running, control: Control) -> None:
        self.running = running
        self.control = control

    async def bulk_all(self, calls: int) -> None:
        """Log so many calls in the past."""
        for done in range(0, calls, BULK):
            await self.control.bulk(min(BULK, calls - done))


@dataclass(frozen=True)
class Rig:
    """Everything that runs; made by `rig`."""

    server: EmbeddedRedis
    redis: Redis
    hubspot: HubSpot
    stand_in: Program
    worker: Program
    backfills: Backfills

    @property
    def portal_id(self) -> int:
        """The account."""
        return self.hubspot.running.portal_id

    async def start(self) -> Run:
        """Start a backfill of the live calls."""
        return (await self.backfills.start(self.portal_id, "live")).run

    async def look(self, run: Run) -> Figures:
        """Return what was used up by now."""
        pages = (await self.backfills.find(run.id)).pages
        return Figures(
            at=time.monotonic(),
            pages=pages,
            worker_cpu_s=cpu_s([self.worker]),
            redis_cpu_s=await self.redis_cpu_s(),
            worker_mib=_mib(self.worker),
            stand_in_mib=_mib(self.stand_in),
        )

    async def redis_cpu_s(self) -> float:
        """Return the CPU time that Redis has used."""
        cpu = msgspec.convert(await self.redis.info("cpu"), dict[str, float])
        return cpu["used_cpu_user"] + cpu["used_cpu_sys"]

    async def redis_bytes(self) -> int:
        """Return what Redis has allocated, seen by a fresh client, whose buffers are small."""
        async with connect(self.server.url) as redis:
            told = await redis.info("memory")
        return int(msgspec.convert(told, dict[str, str | int | float])["used_memory"])

    async def records(self) -> int:
        """Return how many calls are known."""
        return await Records(self.redis, NAMESPACE, 1).count(self.portal_id)

    async def forget_events(self) -> None:
        """Delete the stream."""
        await command(self.redis, "DEL", f"{NAMESPACE}:calls:{{0}}")

    async def forget_calls(self) -> None:
        """Delete all that is known of calls, so that a backfill publishes them anew."""
        await self.forget_events()
        async for key in self.redis.scan_iter(match=f"{NAMESPACE}:records:*", count=1_000):
            await command(self.redis, "DEL", key)


@contextlib.asynccontextmanager
async def rig(limit: int) -> AsyncGenerator[Rig]:
    """Run a stand-in that allows `limit` requests in 10 s, a Redis and a worker."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callstream-bench-")))
        server = stack.enter_context(EmbeddedRedis(port=0, options=FREED_AT_ONCE))
        redis = await stack.enter_async_context(connect(server.url))
        options = ["--port=0", f"--knob=rate_limit={limit}", "--knob=daily_limit=1000000000"]
        command_line = ["-m", "tests.simulator", *options]
        stand_in = Program("stand-in", command_line, folder=folder, inside=ROOT)
        stack.callback(stand_in.close)
        await stand_in.start()
        assert eventually(lambda: "\n" in stand_in.text(), 60)
        running = msgspec.json.decode(stand_in.text().splitlines()[0], type=Running)
        control = await stack.enter_async_context(Control(running.url))
        await Ledger(redis, NAMESPACE, Timing()).connect(running.portal_id)
        worker = Program(
            "worker",
            ["-m", "service.cli", "worker", "--queue", "collections"],
            folder=folder,
            environ=_settings(server, running),
        )
        stack.callback(worker.close)
        await worker.start()
        queue = connect_queue(server.url, NAMESPACE, "collections")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        backfills = Backfills(redis, NAMESPACE, Timing(), Turns(queue, NAMESPACE))
        yield Rig(server, redis, HubSpot(running, control), stand_in, worker, backfills)


def _settings(server: EmbeddedRedis, running: Running) -> dict[str, str]:
    return {
        "REDIS_URL": server.url,
        "NAMESPACE": NAMESPACE,
        "HUBSPOT_ACCESS_TOKEN": running.token,
        "HUBSPOT_PORTAL_ID": str(running.portal_id),
        "HUBSPOT_API_URL": running.url,
        "BACKFILL_ON_CONNECT": "none",
        "RECONCILE_EVERY": "7d",
        "STREAM_MAX_AGE": KEPT,
        "WORKER_PORT": "0",
        "LOG_FORMAT": "json",
    }


def _mib(program: Program) -> int:
    """Return a program's resident memory (Linux)."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) // 1024
