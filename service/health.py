"""Probes: `GET /health/live` and `GET /health/ready`.

Keys, on the ledger's Redis, after the namespace:

- `health:probe`: string that expires after 10 s; being able to write it is what *ready* means
"""

import asyncio
import time
from http import HTTPStatus
from typing import cast

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.headroom import WORD, Headroom
from jobs.redis import command
from jobs.timing import Timing
from service.front_door.marking import Committer
from service.front_door.outages import Outage, outage_of

_PROBE_MS = 10_000


class Health(msgspec.Struct, frozen=True):
    """The answer to a probe."""

    status: str
    """`up` or `down`."""
    down: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """What is down, and why."""


class RedisProbe:
    """Tells whether Redis takes writes, by one small write at most every `Timing.probe_ms`."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        self._redis = redis
        self._key = f"{namespace}:health:probe" if namespace else "health:probe"
        self._probe_s = timing.probe_ms / 1000
        self._probed_at: float | None = None
        self._outage: Outage | None = None
        self._one_at_a_time = asyncio.Lock()

    async def outage(self) -> Outage | None:
        """Return why Redis takes no writes, or None if it does."""
        async with self._one_at_a_time:
            now = time.monotonic()
            if self._probed_at is None or now - self._probed_at >= self._probe_s:
                self._outage = await self._probe()
                self._probed_at = time.monotonic()
            return self._outage

    async def _probe(self) -> Outage | None:
        try:
            async with asyncio.timeout(self._probe_s):
                await command(self._redis, "SET", self._key, "1", "PX", _PROBE_MS)
        except (RedisError, OSError, TimeoutError) as error:
            return outage_of(error) or Outage.UNWRITABLE
        return None


class Checks:
    """What the probes ask."""

    def __init__(
        self, committer: Committer, redis: RedisProbe, headroom: Headroom | None = None
    ) -> None:
        self._committer = committer
        self._redis = redis
        self._headroom = headroom

    def live(self) -> Health:
        """Whether the process makes progress; if not, only a restart helps."""
        down: dict[str, str] = {}
        if not self._committer.alive:
            down["committer"] = "ended"
        elif self._committer.stuck:
            down["committer"] = "stuck"
        return _health(down)

    async def ready(self) -> Health:
        """Whether a delivery sent now would be taken."""
        down = dict(self.live().down)
        if outage := await self._redis.outage():
            down["redis"] = outage
        elif self._headroom is not None and self._headroom.tight:
            down["redis"] = WORD
        return _health(down)


def _health(down: dict[str, str]) -> Health:
    return Health("down" if down else "up", down)


def _response(health: Health) -> Response[Health]:
    status = HTTPStatus.SERVICE_UNAVAILABLE if health.down else HTTPStatus.OK
    headers = {"cache-control": "no-store"}
    return Response(health, status_code=status, headers=headers, media_type=MediaType.JSON)


@get("/health/live", summary="Whether the process makes progress")
async def live(request: Request[None, None, State]) -> Response[Health]:
    """Answer 200, or 503 naming what is down."""
    return _response(checks_of(request.app).live())


@get("/health/ready", summary="Whether a delivery would be taken")
async def ready(request: Request[None, None, State]) -> Response[Health]:
    """Answer 200, or 503 naming what is down."""
    return _response(await checks_of(request.app).ready())


def checks_of(app: Litestar) -> Checks:
    """Return the checks that the application's lifespan has set up."""
    return cast("Checks", app.state["checks"])
