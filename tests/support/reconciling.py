"""One account's reconciliation beside its live work, in the test's own process, turn by turn."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator

from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import open_context
from jobs.live.reread import reread_calls
from jobs.reconciliation.missed import MissedFigures
from jobs.reconciliation.runs import Ask, Standing
from jobs.reconciliation.store import Reconciliations
from jobs.reconciliation.turn import reconcile_calls
from jobs.redis import command
from tests.simulator.control import Control
from tests.support.desk import QUICK, Desk

AT_ONCE = replace(
    QUICK, search_margin_ms=-5_000, gone_apart_ms=20, gone_held_ms=60, budget_window_ms=100
)
"""Search lags behind by nothing, and our windows reach into its future."""


class Reconciler:
    """One account's reconciliation beside its live work."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.set_timing(AT_ONCE)
        redis, namespace = desk.redis, desk.context.settings.namespace
        store = Reconciliations(redis, namespace, AT_ONCE)
        desk.context = dataclasses.replace(desk.context, reconciliations=store)

    async def ask(self, *, full: bool = False) -> None:
        """Ask for a run that searches from the start: windows here reach into the future."""
        await command(self.desk.redis, "HDEL", self.key, "watermark")
        ask = Ask(id="asked", full=full)
        await self.desk.context.reconciliations.ask(self.desk.portal_id, ask)

    @property
    def key(self) -> str:
        """The key of the account's standing."""
        return self.desk.context.reconciliations.key(self.desk.portal_id)

    async def turn(self) -> None:
        """Take one turn."""
        await reconcile_calls(self.desk.context, self.desk.portal_id)

    async def standing(self) -> Standing:
        """Return where the account stands."""
        return await self.desk.context.reconciliations.standing(self.desk.portal_id)

    async def finish(self) -> Standing:
        """Take turns, and read what they mark, until the run has ended and nothing is marked."""
        while True:
            await self.turn()
            while await self.is_marked():
                await self.desk.fetch()
            standing = await self.standing()
            if standing.run is None:
                return standing
            await asyncio.sleep(0.02)

    async def round(self) -> Standing:
        """Ask for a full round and see it through."""
        await self.ask(full=True)
        return await self.finish()

    async def search(self) -> Standing:
        """Ask for a search and see it through."""
        await self.ask()
        return await self.finish()

    async def missed(self) -> MissedFigures:
        """Return what was missed so far."""
        return await self.desk.context.missed.figures(self.desk.portal_id)

    async def is_marked(self) -> bool:
        """Tell whether a call waits to be read."""
        key = f"{self.desk.context.settings.namespace}:ledger:{self.desk.portal_id}"
        waiting = await self.desk.redis.zcard(f"{key}:due")
        return bool(waiting)


@contextlib.asynccontextmanager
async def reconciling(  # noqa: PLR0913, PLR0917 - where all of it is
    hubspot: str, control: Control, portal_id: int, redis: Redis, redis_url: str, namespace: str
) -> AsyncGenerator[Reconciler]:
    """Open an account whose search is up to date, and whose properties have been read before."""
    account = await control.open_account(portal_id)
    await control.turn(search_delay_ms=0, search_limit=1_000_000)
    settings = Settings(
        redis_url=redis_url,
        streams_redis_url=redis_url,
        namespace=namespace,
        hubspot_access_token=Secret(account.token),
        hubspot_portal_id=portal_id,
        hubspot_api_url=hubspot,
        hubspot_rate_limit=1_000_000,
        call_properties=("hs_call_title", "hs_call_body"),
        call_associations=("contacts", "companies"),
        timing_scale=0.1,
    )
    async with open_context(settings, slots=20) as context:
        await context.ledger.connect(portal_id)
        projection = await context.projection(portal_id)
        await reread_calls(context, portal_id, projection.generation)
        yield Reconciler(Desk(context, redis, portal_id, namespace))
