"""Workers that drain a backlog against HubSpot's limit, in time that passes only when told.

The budget's scripts run on a real Redis and read their time from a key.
"""

import heapq
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from redis.asyncio import Redis

from jobs.hubspot.budget import Budget
from jobs.hubspot.errors import PortalFailure
from jobs.redis import command
from jobs.timing import Timing

CLOCK_KEY = "test:clock"
CLOCK = f"local function now_ms() return tonumber(redis.call('GET', '{CLOCK_KEY}')) end"
"""The scripts' clock in tests: the number in a key."""
PORTAL = 62515
BEGIN = 1_700_000_000_000

Step = Callable[[], Awaitable[None]]


class Time:
    """Epoch ms that pass when told, for the budget's scripts as well."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.now = BEGIN

    async def set(self, now: int) -> None:
        """Let it be `now`."""
        self.now = now
        await command(self._redis, "SET", CLOCK_KEY, now)

    async def on(self, by_ms: int) -> None:
        """Let so many ms pass."""
        await self.set(self.now + by_ms)


def timeless_budget(redis: Redis, *, rate_limit: int = 100, reserve: float = 0.1) -> Budget:
    """Return a budget whose time is that of `Time`."""
    return Budget(redis, "", Timing(), rate_limit=rate_limit, reserve=reserve, clock=CLOCK)


async def settled(redis: Redis, budget: Budget) -> Time:
    """Return a time, `BEGIN`, at which Redis has long kept its data."""
    time = Time(redis)
    await time.set(BEGIN - 600_000)
    await budget.take(1)
    await time.set(BEGIN)
    return time


@dataclass
class Counter:
    """HubSpot's count: a rolling window over its own clock."""

    limit: int
    interval_ms: int = 10_000
    times: deque[int] = field(default_factory=deque[int])

    def ask(self, now: int) -> dict[str, str] | None:
        """Count a request and return the answer's headers, None if it is refused."""
        while self.times and self.times[0] <= now - self.interval_ms:
            self.times.popleft()
        if len(self.times) >= self.limit:
            return None
        self.times.append(now)
        return self.headers()

    def headers(self) -> dict[str, str]:
        """Return what an answer says now."""
        return {
            "X-HubSpot-RateLimit-Max": str(self.limit),
            "X-HubSpot-RateLimit-Remaining": str(self.limit - len(self.times)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(self.interval_ms),
        }


@dataclass
class Drain:
    """Jobs that read without end, each a batch and its associations at once."""

    budget: Budget
    time: Time
    counter: Counter
    seed: int
    cost: int = 5
    jobs: int = 4
    network_ms: int = 40
    answered: list[int] = field(default_factory=list[int])
    """When, of those that were not refused."""
    refused: list[int] = field(default_factory=list[int])
    """When, of the others: 429."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._steps: list[tuple[int, int, Step]] = []
        self._serial = 0
        self._open = dict.fromkeys(range(self.jobs), 0)

    def at(self, when: int, step: Step) -> None:
        """Do something at a time."""
        self._serial += 1
        heapq.heappush(self._steps, (when, self._serial, step))

    async def run(self, length_ms: int) -> None:
        """Let the jobs drain for so long."""
        for job in range(self.jobs):
            self.at(BEGIN, partial(self._take, job))
        until = BEGIN + length_ms
        while self._steps and self._steps[0][0] < until:
            when, _, step = heapq.heappop(self._steps)
            await self.time.set(when)
            await step()

    async def _take(self, job: int) -> None:
        wait_ms = await self.budget.take(PORTAL, self.cost)
        if wait_ms:
            self.at(self.time.now + wait_ms, partial(self._take, job))
            return
        self._open[job] = self.cost
        for _ in range(self.cost):
            there = self.time.now + self._random.randint(self.network_ms // 2, self.network_ms)
            self.at(there, partial(self._arrive, job, self.time.now))

    async def _arrive(self, job: int, sent: int) -> None:
        headers = self.counter.ask(self.time.now)
        # 250 ms in the median, 1.5 s at the 99th percentile.
        latency = 250 * math.exp(self._random.gauss(0, 0.77))
        self.at(self.time.now + round(latency), partial(self._answer, job, sent, headers))

    async def _answer(self, job: int, sent: int, headers: dict[str, str] | None) -> None:
        (self.refused if headers is None else self.answered).append(self.time.now - BEGIN)
        if headers is None:
            failure = PortalFailure(kind="rate_limited", status=429, limit="ten_secondly")
            await self.budget.cool(PORTAL, failure)
        else:
            await self.budget.learn(PORTAL, headers, elapsed_ms=self.time.now - sent)
        self._open[job] -= 1
        if self._open[job] == 0:
            await self._take(job)


def ask_beside(drain: Drain, every_ms: int) -> None:
    """Let another process on the same token ask once in so many ms."""

    async def ask() -> None:
        drain.counter.ask(drain.time.now)
        drain.at(drain.time.now + every_ms, ask)

    drain.at(BEGIN, ask)
