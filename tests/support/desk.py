"""A worker's desk in the test's own process: marks calls, runs the live job, reads the stream."""

import dataclasses
from collections.abc import Sequence

import msgspec
from callstream_client.events import CallEvent, decode
from redis.asyncio import Redis

from jobs.accounts.static import StaticAccount
from jobs.backfill.runs import Runs
from jobs.config.values import Secret
from jobs.context import Context
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.live.fetch import fetch_calls
from jobs.timing import Timing
from tests.simulator.messages import AccountState

QUICK = Timing(quiet_ms=0, pace_ms=0)
"""Marks are due at once, so that what a test sees depends on its steps alone."""


async def tell_owner(redis: Redis, namespace: str, account: AccountState) -> None:
    """Keep in Redis whose the token is, so that no worker asks: tests count what they ask."""

    async def owner(_token: Secret) -> int:
        return account.portal_id

    token = Secret(account.token)
    await StaticAccount(redis, namespace, owner, token=token, portal_id=None).owner()


class Desk:
    """One account's work, step by step."""

    def __init__(self, context: Context, redis: Redis, portal_id: int, namespace: str) -> None:
        self.redis = redis
        self.portal_id = portal_id
        self._namespace = namespace
        self.context = context
        self.set_timing(QUICK)

    def set_timing(self, timing: Timing) -> None:
        """Work with other waits from now on."""
        self.context = dataclasses.replace(
            self.context,
            timing=timing,
            ledger=Ledger(self.redis, self._namespace, timing),
            runs=Runs(self.redis, self._namespace, timing),
        )

    async def mark(self, call_id: int | str, *hints: Hint) -> None:
        """Mark a call, by a change that happened long ago unless hints say otherwise."""
        said = hints or (Hint("propertyChange", 1, "hs_call_title"),)
        await self.context.ledger.mark([Mark(self.portal_id, str(call_id), said)])

    async def fetch(self) -> None:
        """Answer one doorbell."""
        await fetch_calls(self.context, self.portal_id, "")

    async def fetch_marked(self, call_id: int | str, *hints: Hint) -> None:
        """Mark a call and answer one doorbell."""
        await self.mark(call_id, *hints)
        await self.fetch()

    async def events(self) -> Sequence[CallEvent]:
        """Return all events on the stream."""
        entries = await self.redis.xrange(f"{self._namespace}:calls:{{0}}")
        events = [decode(fields) for _, fields in entries]
        return [event for event in events if isinstance(event, CallEvent)]

    async def last(self) -> CallEvent:
        """Return the last event on the stream."""
        return (await self.events())[-1]

    async def types(self) -> list[str]:
        """Return what happened, in order, without the common prefix of the types."""
        return [event.type.removeprefix("callstream.call.") for event in await self.events()]

    async def waits_ms(self, call_id: int | str) -> int | None:
        """Return in how long the call is due again; None if it is idle or leased."""
        room = f"{self._namespace}:ledger:{self.portal_id}:due"
        due_at: float | None = await self.redis.zscore(room, str(call_id))
        if due_at is None:
            return None
        seconds, micros = msgspec.convert(await self.redis.time(), tuple[int, int])
        return round(due_at - seconds * 1000 - micros / 1000)

    async def dead(self) -> list[dict[bytes, bytes]]:
        """Return the dead letters."""
        return [fields for _, fields in await self.redis.xrange(f"{self._namespace}:calls:dead")]
