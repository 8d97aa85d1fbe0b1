"""A deployment that reads the journal of a stand-in of its own, step by step."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator

import aiohttp
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import Context, open_context
from jobs.journal.opening import Journal
from jobs.journal.reader import Reader, Step
from tests.simulator.control import Control
from tests.simulator.process import Running, simulator_process
from tests.support.desk import QUICK, Desk
from tests.support.waiting import until

PUBLISHED_MS = 1_500
"""The stand-in writes a file so long after its first entry."""
TOGETHER = replace(
    QUICK,
    behind_rungs_ms=(20, 50, 100, 300),
    gone_apart_ms=20,
    hint_patience_ms=300,
)
"""Further reads of a call follow at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """One account's desk, and the journal beside it."""

    running: Running
    hubspot: Control
    desk: Desk
    reader: Reader

    @property
    def context(self) -> Context:
        """What the account's jobs work with."""
        return self.desk.context

    @property
    def journal(self) -> Journal:
        """The journal's parts."""
        assert self.context.journal is not None
        return self.context.journal

    def another_reader(self, name: str) -> Reader:
        """Return the reader of another worker."""
        return Reader(self.context, self.journal, name)

    async def resubscribe(self) -> None:
        """Take a step that looks after the subscriptions, as the first one of a reader does."""
        await self.another_reader("first").step()

    async def publish(self) -> None:
        """Let the stand-in write what is pending into a file."""
        await self.hubspot.clock(move_ms=PUBLISHED_MS)

    async def read(self) -> list[Step]:
        """Read until there is nothing more to read; return the steps."""
        steps: list[Step] = []
        while not steps or steps[-1] not in ("caught_up", "elsewhere"):
            steps.append(await self.reader.step())
        return steps

    async def settle(self) -> None:
        """Read what is marked from HubSpot until nothing is marked any more."""
        room = f"{self.context.settings.namespace}:ledger:{self.desk.portal_id}:due"

        async def is_done() -> bool:
            await self.desk.fetch()
            return not await self.desk.redis.zcard(room)

        await until(is_done, timeout_s=20)

    async def states(self) -> dict[str, tuple[str, str | None]]:
        """Return the last event's state and title of every call on the stream."""
        found: dict[str, tuple[str, str | None]] = {}
        for event in await self.desk.events():
            call, deleted = event.data.call, event.type.endswith(".deleted")
            found[event.data.call_id] = (
                "deleted" if deleted else "live",
                call.title if call else None,
            )
        return found

    async def searches(self) -> int:
        """Return how many searches the stand-in was asked for."""
        counts = (await self.hubspot.requests()).accounts.get(self.desk.portal_id)
        return counts.by_operation.get("calls.search", 0) if counts else 0

    async def erase(self, call_id: int) -> None:
        """Delete a call for privacy."""
        url = f"{self.running.url}/crm/objects/2026-03/calls/gdpr-delete"
        headers = {"Authorization": f"Bearer {self.running.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(url, json={"objectId": str(call_id)}) as answer,
        ):
            answer.raise_for_status()


@contextlib.asynccontextmanager
async def reading(redis: Redis, redis_url: str, namespace: str) -> AsyncGenerator[Reading]:
    """Run a stand-in, connect its account, and subscribe to its journal."""
    knobs = ("--knob=rate_limit=1000000", "--knob=search_delay_ms=0")
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(simulator_process(*knobs))
        hubspot = await stack.enter_async_context(Control(running.url))
        settings = Settings(
            redis_url=redis_url,
            streams_redis_url=redis_url,
            namespace=namespace,
            hubspot_access_token=Secret(running.token),
            hubspot_portal_id=running.portal_id,
            hubspot_api_url=running.url,
            hubspot_rate_limit=1_000_000,
            call_properties=("hs_call_title", "hs_call_body"),
            call_associations=("contacts", "companies"),
            journal_client_id=running.journal_client_id,
            journal_client_secret=Secret(running.journal_client_secret),
        )
        context = await stack.enter_async_context(open_context(settings, slots=20))
        desk = Desk(context, redis, running.portal_id, namespace)
        desk.set_timing(TOGETHER)
        await context.ledger.connect(running.portal_id)
        assert desk.context.journal is not None
        reader = Reader(desk.context, desk.context.journal, "first")
        assert await reader.step() == "caught_up"
        yield Reading(running=running, hubspot=hubspot, desk=desk, reader=reader)
