"""A whole deployment as real processes: the stand-in, services behind a balancer, workers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec
from redis.asyncio import Redis

from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.queue import QueueName
from jobs.redis import TRANSIENT, command, connect
from service.addresses import free_port
from service.embedded.server import EmbeddedRedis
from tests.simulator.control import Control
from tests.simulator.process import ROOT, Running
from tests.support.balancer import Balancer
from tests.support.evidence import Evidence, read_dead, read_events
from tests.support.outstanding import drained
from tests.support.program import Program

SECRET: Final = "fleet-client-secret"
WEBHOOK: Final = "/webhooks/hubspot"
READY_WITHIN_S: Final = 40.0
POLL_S: Final = 0.02


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, and how."""

    services: int = 2
    workers: int = 2
    collectors: int = 0
    """Further workers, of the collections alone; with any, the others do the live job alone."""
    seed: int = 1
    rate_limit: int = 1_000_000
    """HubSpot's requests per 10 s; the default is no limit at all."""
    balanced: bool = True
    """HubSpot reaches the services through a balancer; otherwise it calls the first one itself."""
    namespace: str = "fleet"
    knobs: Mapping[str, str | float] = {}
    """Of the stand-in."""
    environ: Mapping[str, str] = {}
    """Further settings of services and workers."""
    journal: bool = False
    """Whether workers read the journal as well."""


class Fleet:
    """The running processes, each by its name; made by `fleet`."""

    def __init__(self, plan: Plan, folder: Path, server: EmbeddedRedis, balancer: Balancer) -> None:
        self.plan = plan
        self.server = server
        self.balancer = balancer
        self._folder = folder
        self._http: aiohttp.ClientSession | None = None
        self.ports = {f"service-{number + 1}": free_port() for number in range(plan.services)}
        """Where each service listens, by its name."""
        first = f"http://127.0.0.1:{next(iter(self.ports.values()))}"
        self.public_url = balancer.origin if plan.balanced else first
        knobs = {"rate_limit": plan.rate_limit} | dict(plan.knobs)
        self.simulator = Program(
            "simulator",
            [
                *("-m", "tests.simulator", "--port=0", f"--seed={plan.seed}"),
                f"--webhook-url={self.public_url}{WEBHOOK}",
                f"--client-secret={SECRET}",
                *(f"--knob={name}={value}" for name, value in knobs.items()),
            ],
            folder=folder,
            inside=ROOT,
        )
        self.services: list[Program] = []
        self.workers: list[Program] = []
        self.collectors: list[Program] = []

    def __repr__(self) -> str:
        """Name the processes."""
        return f"Fleet({', '.join(program.name for program in self.programs)})"

    @property
    def programs(self) -> list[Program]:
        """All processes but Redis."""
        return [self.simulator, *self.services, *self.workers, *self.collectors]

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Start everything and wait until all of it answers."""
        self._http = await stack.enter_async_context(aiohttp.ClientSession())
        self.redis: Redis = await stack.enter_async_context(
            connect(self.server.url, timeout_s=2, retries=10)
        )
        stack.callback(self._close_all)
        await self.simulator.start()
        self.running = await self._hubspot()
        self.hubspot = await stack.enter_async_context(Control(self.running.url))
        self.environ = self._settings()
        self.services += map(self._service, self.ports)
        queue: QueueName | None = "live" if self.plan.collectors else None
        for number in range(self.plan.workers):
            self.workers.append(self._worker(f"worker-{number + 1}", queue))
        for number in range(self.plan.collectors):
            self.collectors.append(self._worker(f"collector-{number + 1}", "collections"))
        self.balancer.backends = list(self.ports.values())
        await asyncio.gather(*(one.start() for one in self.programs if one is not self.simulator))
        await self.ready()

    @property
    def portal_id(self) -> int:
        """The account that the stand-in began with."""
        return self.running.portal_id

    async def ready(self) -> None:
        """Wait until every service answers and every worker is in the fleet.

        Raises:
            TimeoutError: one does not.
        """
        async with asyncio.timeout(READY_WITHIN_S):
            await self._until(self._all_answer)
            await self._until(self._all_work)

    async def settle(self, within_s: float) -> Evidence:
        """End the traffic, wait until nothing is left to do, and return the evidence."""
        await self.hubspot.traffic(0)
        deadline = time.monotonic() + within_s
        await self.hubspot.quiet(timeout_s=within_s)
        remaining_s = max(1.0, deadline - time.monotonic())
        left = await drained(self.redis, self.plan.namespace, self.portal_id, remaining_s)
        events, unreadable = await read_events(self.redis, self.plan.namespace)
        requests = await self.hubspot.requests()
        return Evidence(
            truth=await self.hubspot.truth(self.portal_id),
            events=events,
            outstanding=left,
            counts=requests.accounts[self.portal_id],
            rate_limit=self.plan.rate_limit,
            properties=DOCUMENTED_PROPERTIES,
            associations=Settings().call_associations,
            dead=frozenset(await read_dead(self.redis, self.plan.namespace)),
            unreadable=unreadable,
        )

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(program.tail() for program in self.programs)

    def _settings(self) -> dict[str, str]:
        return {
            "REDIS_URL": self.server.url,
            "NAMESPACE": self.plan.namespace,
            "HUBSPOT_CLIENT_SECRET": SECRET,
            "HUBSPOT_ACCESS_TOKEN": self.running.token,
            "HUBSPOT_API_URL": self.running.url,
            "PUBLIC_URL": self.public_url,
            "WORKER_PORT": "0",
            "LOG_FORMAT": "json",
            **(self._journal() if self.plan.journal else {}),
            **self.plan.environ,
        }

    def _journal(self) -> dict[str, str]:
        return {
            "JOURNAL_CLIENT_ID": self.running.journal_client_id,
            "JOURNAL_CLIENT_SECRET": self.running.journal_client_secret,
        }

    def _service(self, name: str) -> Program:
        arguments = ["-m", "service.cli", "service", f"--port={self.ports[name]}"]
        return Program(name, arguments, folder=self._folder, environ=self.environ)

    def _worker(self, name: str, queue: QueueName | None) -> Program:
        arguments = ["-m", "service.cli", "worker", *([] if queue is None else ["--queue", queue])]
        return Program(name, arguments, folder=self._folder, environ=self.environ)

    async def _hubspot(self) -> Running:
        """Wait for the stand-in's first line.

        Raises:
            TimeoutError: it does not come.
        """

        async def has_spoken() -> bool:
            return "\n" in self.simulator.text()

        async with asyncio.timeout(READY_WITHIN_S):
            await self._until(has_spoken)
        return msgspec.json.decode(self.simulator.text().splitlines()[0], type=Running)

    async def _all_answer(self) -> bool:
        assert self._http is not None
        for service in self.services:
            url = f"http://127.0.0.1:{self.ports[service.name]}/health/ready"
            try:
                async with self._http.get(url) as answer:
                    if answer.status != HTTPStatus.OK:
                        return False
            except aiohttp.ClientError:
                return False
        return True

    async def _all_work(self) -> bool:
        space = f"{self.plan.namespace}:ledger"
        with contextlib.suppress(*TRANSIENT):
            beating = await self.redis.zcard(f"{space}:fleet")
            connected = await command(self.redis, "HGET", f"{space}:{self.portal_id}", "open")
            return bool(beating >= len(self.workers) and connected == b"1")
        return False

    async def _until(self, truth: Callable[[], Awaitable[bool]]) -> None:
        while not await truth():
            for program in self.programs:
                if program.pid is not None and not await program.running():
                    msg = f"{program.name} has ended\n{program.tail()}"
                    raise RuntimeError(msg)
            await asyncio.sleep(POLL_S)

    def _close_all(self) -> None:
        for program in reversed(self.programs):
            program.close()


AnyFleet = TypeVar("AnyFleet", bound=Fleet)


def fleet(
    plan: Plan, folder: Path, server: EmbeddedRedis
) -> contextlib.AbstractAsyncContextManager[Fleet]:
    """Run a deployment on the Redis `server` until the block ends; logs go to `folder`.

    When the block fails, the ends of all logs are printed.
    """
    return fleet_of(Fleet, plan, folder, server)


@contextlib.asynccontextmanager
async def fleet_of(
    kind: type[AnyFleet], plan: Plan, folder: Path, server: EmbeddedRedis
) -> AsyncGenerator[AnyFleet]:
    """Run a deployment of another kind; otherwise as `fleet`."""
    async with contextlib.AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer())
        running = kind(plan, folder, server, balancer)
        try:
            await running.open(stack)
            yield running
        except BaseException:
            print(running.tails())  # noqa: T201 - pytest shows it with the failure
            raise
