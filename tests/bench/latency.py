"""How long one change takes to the stream, on an idle system with an instant HubSpot.

One property of one call is changed in the stand-in, and a blocking XREAD in another task waits for
its event; then nothing happens for a while. All processes are on this machine and share its clock.
A change is at `changed`, when the stand-in made it; at `answered`, when it had the `204` for its
notification; and at `seen`, when the reader had the entry.
"""

import asyncio
import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

import msgspec
from callstream_client import keys
from callstream_client.events import CallEvent, decode
from redis.asyncio import Redis

from jobs.redis import connect
from service.embedded.server import EmbeddedRedis
from tests.bench.sheet import percentile
from tests.simulator.messages import Create
from tests.support.fleet import Fleet, Plan, fleet

RUNS: Final = 5
CHANGES: Final = 40
WARM_UP: Final = 5
"""Changes of each run that are not counted: first connections, scripts, labels."""
IDLE_S: Final = (0.35, 0.6)
"""How long nothing happens between two changes: the portal's pace of 250 ms is not felt."""
SEEN_WITHIN_S: Final = 10.0
SETTINGS: Final = {"appendonly": "yes", "appendfsync": "everysec"}
"""Of Redis."""


class Sample(msgspec.Struct, frozen=True):
    """One change, in ms."""

    to_answer: float
    """From the change to the `204` for its notification."""
    to_stream: float
    """From there to the entry in the reader's hands; below 0 if the entry was sooner."""

    @property
    def total(self) -> float:
        """From the change to the entry."""
        return self.to_answer + self.to_stream


class Part(msgspec.Struct, frozen=True):
    """The median over runs of a percentile, and the lowest and highest run, in ms."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return median and spread."""
        return f"{self.median:.1f} ({self.low:.0f}-{self.high:.0f})"


class Latency(msgspec.Struct, frozen=True):
    """Percentiles, each by its name, over runs."""

    runs: int
    changes: int
    """Of each run."""
    total: dict[str, Part]
    to_answer: dict[str, Part]
    to_stream: dict[str, Part]
    pooled_p99: float
    """Of the changes of all runs together, in ms."""
    samples: list[list[Sample]]


async def measure(runs: int = RUNS, changes: int = CHANGES) -> Latency:
    """Measure, each run on a deployment of its own."""
    samples = [await _run(changes, seed) for seed in range(1, runs + 1)]
    return Latency(
        runs=runs,
        changes=changes,
        total=_parts(samples, lambda sample: sample.total),
        to_answer=_parts(samples, lambda sample: sample.to_answer),
        to_stream=_parts(samples, lambda sample: sample.to_stream),
        pooled_p99=percentile([one.total for run in samples for one in run], 0.99),
        samples=samples,
    )


def _parts(samples: list[list[Sample]], of: Callable[[Sample], float]) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        by_run = [percentile([of(sample) for sample in run], share) for run in samples]
        parts[name] = Part(statistics.median(by_run), min(by_run), max(by_run))
    return parts


async def _run(changes: int, seed: int) -> list[Sample]:
    async with idle_fleet(seed) as running, _seeing(running) as seen:
        ids = await running.hubspot.do(
            *[Create(properties={"hs_call_title": "before"}) for _ in range(changes + WARM_UP)]
        )
        await running.settle(30)
        before = len(await running.hubspot.changes(running.portal_id))
        arrivals: dict[str, float] = {}
        rng = random.Random(seed)
        for call_id in ids:
            title = f"change of {call_id}"
            arrival = seen(title)
            await asyncio.sleep(rng.uniform(*IDLE_S))
            await running.hubspot.update(call_id, {"hs_call_title": title})
            async with asyncio.timeout(SEEN_WITHIN_S):
                arrivals[str(call_id)] = await arrival
        made = await running.hubspot.changes(running.portal_id, before)
        truth = await running.hubspot.truth(running.portal_id)
        samples: list[Sample] = []
        for change in made:
            answered = truth[change.call_id].acknowledged_at or 0
            samples.append(Sample(answered - change.at, arrivals[change.call_id] - answered))
        return samples[WARM_UP:]


@contextlib.asynccontextmanager
async def idle_fleet(seed: int = 1, **knobs: str | float) -> AsyncGenerator[Fleet]:
    """Run one service, which HubSpot calls itself, one worker, and a Redis with its file."""
    options = {name: value for name, value in SETTINGS.items() if name != "appendonly"}
    with (
        tempfile.TemporaryDirectory(prefix="callstream-bench-") as folder,
        EmbeddedRedis(aof=True, options=options) as server,
    ):
        plan = Plan(services=1, workers=1, balanced=False, seed=seed, knobs=knobs)
        async with fleet(plan, Path(folder), server) as running:
            yield running


@contextlib.asynccontextmanager
async def _seeing(running: Fleet) -> AsyncGenerator[Callable[[str], asyncio.Future[float]]]:
    """Read the stream; what is yielded returns a future of when an event of a title was seen."""
    wanted: dict[str, asyncio.Future[float]] = {}

    def expect(title: str) -> asyncio.Future[float]:
        return wanted.setdefault(title, asyncio.get_running_loop().create_future())

    async with connect(running.server.url, timeout_s=60) as redis:
        task = asyncio.create_task(_read(redis, running.plan.namespace, wanted))
        try:
            yield expect
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _read(redis: Redis, namespace: str, wanted: dict[str, asyncio.Future[float]]) -> None:
    key, last = keys.stream(namespace, 0), "$"
    while True:
        answer = await redis.xread({key: last}, block=5_000)
        now = time.time() * 1_000
        for _, entries in answer:
            for entry_id, fields in entries:
                last = entry_id
                event = decode(fields)
                if not isinstance(event, CallEvent) or event.data.call is None:
                    continue
                arrival = wanted.get(event.data.call.title or "")
                if arrival is not None and not arrival.done():
                    arrival.set_result(now)
