"""One account's reconciliation beside its live work, in the test's own process, turn by turn."""

import asyncio
import dataclasses

from msgspec.structs import replace

from jobs.reconciliation.missed import MissedFigures
from jobs.reconciliation.runs import Ask, Standing
from jobs.reconciliation.store import Reconciliations
from jobs.reconciliation.turn import reconcile_calls
from jobs.redis import command
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
