"""The deployment of a window: two services, three workers, Redis with AOF, the stand-in.

Where a window asks for it, every connection between two parts goes over a link, or streams and
records live on a Redis of their own.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Literal

from redis.asyncio import Redis

from jobs.queue import QueueName
from jobs.redis import connect
from service.embedded.server import EmbeddedRedis
from tests.chaos.link import Link
from tests.support.balancer import Balancer
from tests.support.fleet import Fleet, Plan
from tests.support.program import Program

PARTITIONS: Final = 2

Between = Literal["hubspot-service", "service-redis", "worker-redis", "worker-hubspot"]
BETWEEN: Final[tuple[Between, ...]] = (
    "hubspot-service",
    "service-redis",
    "worker-redis",
    "worker-hubspot",
)
"""The links, by the parts that they join."""


class Layout(Plan, frozen=True, kw_only=True):
    """What runs, and how."""

    linked: bool = False
    """Connections go over links."""
    split: bool = False
    """Streams and records on a Redis of their own."""
    tcp: bool = False
    """Redis listens on TCP, as Sentinel and replicas need it."""
    redis_options: Mapping[str, str] = {}


class Deployment(Fleet):
    """A fleet whose parts can be taken apart; made by `deployed`."""

    def __init__(
        self,
        layout: Layout,
        folder: Path,
        servers: tuple[EmbeddedRedis, EmbeddedRedis | None],
        balancer: Balancer,
    ) -> None:
        super().__init__(layout, folder, servers[0], balancer)
        self.layout = layout
        self.folder = folder
        self.streams_server = servers[1]
        """The Redis of streams and records, None if it is the first one."""
        self.links: dict[Between, list[Link]] = {}
        """What lies between the parts; empty without `linked`."""
        self._witness: Link | None = None

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Start everything and wait until all of it answers."""
        if self.layout.linked:
            await self._lay_links(stack)
        await super().open(stack)
        if self._witness is not None:
            self.redis = await stack.enter_async_context(
                connect(self.redis_url, timeout_s=2, retries=10)
            )
        if self.streams_server is None:
            self.streams: Redis = self.redis
        else:
            self.streams = await stack.enter_async_context(
                connect(self.streams_server.url, timeout_s=2, retries=10)
            )
        if doors := self.links.get("hubspot-service"):
            self.balancer.backends = [door.port for door in doors]

    @property
    def redis_url(self) -> str:
        """The ledger's Redis for those who look on, whichever server that is; no fault lies there.

        Their links are none of `links`.
        """
        if self._witness is None:
            return self.server.url
        return f"redis://127.0.0.1:{self._witness.port}/0"

    @property
    def streams_url(self) -> str:
        """The Redis of streams and records, likewise."""
        return self.redis_url if self.streams_server is None else self.streams_server.url

    def move_redis(self, url: str) -> None:
        """Let the address at which everybody knows Redis lead to another server."""
        towards_redis = [*self.links["service-redis"], *self.links["worker-redis"]]
        for link in [*towards_redis, self._witness]:
            if link is not None:
                link.target = url
                link.reset()

    def use(self, settings: Mapping[str, str]) -> None:
        """Have `replace` start services and workers with these settings as well."""
        self.environ = {**self.environ, **settings}

    async def replace(self, program: Program, *, within_s: float) -> int | None:
        """Terminate a service or worker and start it with the settings of now; return its status.

        As a rolling deployment does with one process.
        """
        status, _ = await program.terminate(within_s)
        program.close()
        places = self.services if program in self.services else self.workers
        make = self._service if program in self.services else self._worker
        places[places.index(program)] = successor = make(program.name)
        await successor.start()
        return status

    def _settings(self) -> dict[str, str]:
        streams = {"STREAMS_REDIS_URL": self.streams_url} if self.streams_server else {}
        return super()._settings() | streams

    def _service(self, name: str) -> Program:
        return self._over("service-redis", super()._service, name)

    def _worker(self, name: str, queue: QueueName | None = None) -> Program:
        make = partial(super()._worker, queue=queue)
        return self._over("worker-redis", make, name)

    def _over(self, between: Between, make: Callable[[str], Program], name: str) -> Program:
        """Make a program that reaches Redis and HubSpot over its links."""
        if not self.layout.linked:
            return make(name)
        plain, api = self.environ, self._link("worker-hubspot")
        api.target = self.running.url
        self.environ = {
            **plain,
            "REDIS_URL": f"redis://127.0.0.1:{self._link(between).port}/0",
            "HUBSPOT_API_URL": f"http://127.0.0.1:{api.port}",
        }
        try:
            return make(name)
        finally:
            self.environ = plain

    def _link(self, between: Between) -> Link:
        return self.links[between][0]

    async def _lay_links(self, stack: contextlib.AsyncExitStack) -> None:
        targets: dict[Between, list[str]] = {
            "hubspot-service": [f"http://127.0.0.1:{port}" for port in self.ports.values()],
            "service-redis": [self.server.url],
            "worker-redis": [self.server.url],
            "worker-hubspot": [""],
        }
        self._witness = await stack.enter_async_context(Link("witness", self.server.url))
        for between, urls in targets.items():
            self.links[between] = [
                await stack.enter_async_context(Link(between, url)) for url in urls
            ]


@contextlib.asynccontextmanager
async def deployed(layout: Layout, folder: Path) -> AsyncGenerator[Deployment]:
    """Run a deployment until the block ends; logs go to `folder`."""
    async with contextlib.AsyncExitStack() as stack:
        options, port = layout.redis_options, 0 if layout.tcp else None
        server = await stack.enter_async_context(
            EmbeddedRedis(aof=True, port=port, options=options)
        )
        streams = None
        if layout.split:
            streams = await stack.enter_async_context(EmbeddedRedis(aof=True, options=options))
        balancer = await stack.enter_async_context(Balancer())
        running = Deployment(layout, folder, (server, streams), balancer)
        await running.open(stack)
        yield running
