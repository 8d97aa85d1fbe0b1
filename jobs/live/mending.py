"""Has made again what a Redis has lost: the task of every worker, of which one does it.

What the ledger lost of marks the services that acknowledged them make again by themselves. What the
streams lost of events is marked here: the ledger remembers the calls that were settled within the
last minute. And for what is older, every account is reconciled from before the loss; where a server
came back empty, with a full round.
"""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark
from jobs.live.sweep import TURN_S, open_static
from jobs.live.verdicts import doubling
from jobs.presence import Presence
from jobs.pulse.pulse import Loss, Pulse
from jobs.reconciliation.runs import CLOCKS_APART_MS, Ask

CHUNK: Final = 500
"""Calls marked by one commit."""


@dataclass(frozen=True)
class Server:
    """A Redis to look after."""

    name: str
    pulses: Sequence[Pulse]
    found: Callable[[int], Awaitable[object]]
    """What every process does that finds a loss, given the place of its pulse."""
    mend: Callable[[Mapping[int, Loss]], Awaitable[None]]
    """Makes up for losses, by the place of their pulse; one worker does."""


_log = structlog.get_logger(__name__)


async def mend_forever(context: Context, worker: str) -> None:
    """Look whether the Redis of the ledger and that of the streams lost data, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        ledger = Server("ledger", [context.pulse], _pass, partial(mend_ledger, context))
        tasks.create_task(_watch(context, worker, ledger))
        # A ticket takes the partition's clock to where this process has seen it.
        lift, pulses = context.stream.ticket, context.stream.pulses
        streams = Server("streams", pulses, lift, partial(mend_streams, context))
        tasks.create_task(_watch(context, worker, streams))


async def _pass(_place: int) -> None:
    """Do nothing: what a worker commits to the ledger is not its own to make again."""


async def _watch(context: Context, worker: str, server: Server) -> None:
    look_s, presence = context.timing.look_ms / 1000, Presence(server.name)
    while True:
        context.liveness.beat(
            f"look at the {server.name}", context.timing.mend_lease_ms / 1000 + TURN_S
        )
        pause_s = look_s
        try:
            await _look(worker, server)
        except (RedisError, OSError, TimeoutError) as error:
            presence.away(error)
            context.liveness.wait(TURN_S)
            pause_s = doubling(presence.failures, 50, 1_000) / 1000
        else:
            presence.back()
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret


async def _look(worker: str, server: Server) -> None:
    """Look at each pulse once, tell of what this process lost, and mend what nobody else does."""
    losses: dict[int, Loss] = {}
    for place, pulse in enumerate(server.pulses):
        loss = await pulse.look()
        if pulse.finding() == "lost":
            await server.found(place)
        if loss is not None and await pulse.take(worker):
            losses[place] = loss
    if losses:
        await server.mend(losses)
        for place, loss in losses.items():
            await server.pulses[place].mended(loss)


async def mend_ledger(context: Context, losses: Mapping[int, Loss]) -> None:
    """Open the settings' account again, and have all accounts reconciled."""
    with contextlib.suppress(HubSpotError):  # who owns the connection tries on, and tells
        await open_static(context)
    asked = await _reconcile(context, losses)
    _log.warning("the ledger's Redis lost data", since=_since(losses), accounts=asked)


async def mend_streams(context: Context, losses: Mapping[int, Loss]) -> None:
    """Mark what was settled of late in the partitions of these losses; have all reconciled."""
    if not await context.stream.is_announced():
        await context.stream.prepare()
    marked = 0
    for portal_id in await context.accounts.portals():
        calls = [
            call_id
            for call_id in await context.ledger.settled(portal_id)
            if context.stream.partition_of(portal_id, call_id) in losses
        ]
        for start in range(0, len(calls), CHUNK):
            hints = (Hint(origin="reconciliation"),)
            marks = [Mark(portal_id, call_id, hints) for call_id in calls[start : start + CHUNK]]
            await context.doorbells.ring(await context.ledger.mark(marks))
        marked += len(calls)
    asked = await _reconcile(context, losses)
    _log.warning(
        "the streams' Redis lost data",
        since=_since(losses),
        partitions=sorted(losses),
        calls_marked=marked,
        accounts=asked,
    )


async def _reconcile(context: Context, losses: Mapping[int, Loss]) -> int:
    """Ask for a reconciliation of each connected account; return of how many."""
    since, asked = _since(losses), 0
    begin = max(1, since - CLOCKS_APART_MS) if since else 0
    for portal_id in await context.accounts.portals():
        if (await context.ledger.door(portal_id)).open:
            ask = Ask(id=f"{portal_id}-{secrets.token_hex(6)}", since=begin, full=not since)
            await context.reconciliations.ask(portal_id, ask)
            asked += 1
    return asked


def _since(losses: Mapping[int, Loss]) -> int:
    """Return from when on data is missing, in Redis' epoch ms; 0 = all of it."""
    return min(loss.since for loss in losses.values())
