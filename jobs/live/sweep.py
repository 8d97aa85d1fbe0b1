"""The tasks that every worker owns beside its jobs: its heartbeat, the sweep, the connection."""

import asyncio
import contextlib
import random
import time
from typing import Final

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.live.verdicts import doubling
from jobs.queue import RUNNING, queue_key

TURN_S: Final = 90.0
"""A turn of a loop that lasts longer is stuck, unless Redis is away."""
_TOKENLESS: Final = frozenset({"unknown", "disconnected", "sealed"})
"""Failures that last until somebody connects the account."""

_log = structlog.get_logger(__name__)


async def sweep_forever(context: Context, worker: str) -> None:
    """Ring due portals that have no doorbell, whenever it is this worker's turn, until cancelled.

    Doorbells may be lost with a worker or a Redis; without the sweep their portals would wait for
    the next notification.
    """
    queue = queue_key(context.settings.namespace, "live")
    every_s = context.timing.sweep_every_ms / 1000
    beat_s = context.timing.fleet_beat_ms / 1000
    beaten_at = -beat_s
    failures = 0
    while True:
        context.liveness.beat("sweep", TURN_S)
        try:
            if time.monotonic() - beaten_at >= beat_s:
                await context.ledger.beat(worker, context.slots)
                beaten_at = time.monotonic()
            if not context.streams_room.tight:
                await context.doorbells.ring(await context.ledger.sweep(worker, queue, RUNNING))
            failures = 0
        except (RedisError, OSError) as error:
            failures += 1
            if failures == 1:
                _log.warning("sweep paused while Redis is away", error=repr(error))
        pause_s = every_s if not failures else doubling(failures, 100, 2_000) / 1000
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret


async def leave(context: Context, worker: str) -> None:
    """Take the worker out of the fleet's count; a Redis that is away forgets it by itself."""
    try:
        async with asyncio.timeout(1):
            await context.ledger.leave(worker, context.slots)
    except (RedisError, OSError, TimeoutError) as error:
        _log.info("left without a word", error=repr(error))


async def connect_static(context: Context) -> None:
    """Let the calls of the settings' account be read, also after Redis has forgotten it.

    Tries until HubSpot has said whose the token is, and then watches until cancelled. HubSpot is
    asked only about a token whose portal id is not known yet. Accounts that install the app are
    connected by the install itself: if Redis forgets their tokens, nothing here can help.
    """
    timing = context.timing
    failures, is_told = 0, False
    while context.accounts.static is not None:
        try:
            await open_static(context, again=not is_told)
        except (RedisError, OSError, HubSpotError) as error:
            failures += 1
            wait_ms = doubling(
                failures, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms
            )
            if not is_told:  # afterwards the sweep tells of Redis' absence
                _log.warning("accounts not connected yet", error=str(error), retry_in_ms=wait_ms)
        else:
            failures, is_told = 0, True
            wait_ms = timing.look_ms
        await asyncio.sleep(wait_ms / 1000)


async def open_static(context: Context, *, again: bool = False) -> None:
    """Open the settings' account if the ledger does not know it; `again` even if it does.

    Raises:
        HubSpotError: HubSpot had to be asked whose the token is, and did not say.
        redis.RedisError: Redis is away.
    """
    static = context.accounts.static
    if static is None:
        return
    portal_id = await static.owner()
    connected_at = (await context.ledger.door(portal_id)).connected_at
    if connected_at:
        context.connected_at[portal_id] = connected_at
    if again or not connected_at:
        # What changed since then belongs on the stream, also when Redis has forgotten that.
        before = context.connected_at.get(portal_id, 0)
        bells = await context.ledger.connect(portal_id, connected_at=before)
        await context.doorbells.ring(bells)


async def announce_streams(context: Context) -> None:
    """Tell consumers of the streams again after Redis has forgotten them, until cancelled.

    Raises:
        PartitionsChangedError: others have begun them anew with another number of partitions.
    """
    while True:
        await asyncio.sleep(context.timing.strangers_every_ms / 1000)
        with contextlib.suppress(RedisError, OSError):  # publishing tells of their absence
            if not await context.stream.is_announced():
                await context.stream.prepare()


async def tell_strangers(context: Context) -> None:
    """Log, once each, the accounts that notifications name and that there is no token for.

    Their marks are kept; the reason names the account that there is a token for. Until cancelled.
    """
    told: set[int] = set()
    while True:
        with contextlib.suppress(RedisError, OSError):  # the sweep tells of Redis' absence
            strangers = await context.ledger.strangers()
            told &= strangers
            for portal_id in strangers - told:
                if await _is_told(context, portal_id):
                    told.add(portal_id)
        await asyncio.sleep(context.timing.strangers_every_ms / 1000)


async def _is_told(context: Context, portal_id: int) -> bool:
    """Log why the account has no token; False if that is not known yet."""
    try:
        await context.accounts.token(portal_id)
    except PortalFailure as failure:
        if failure.kind not in _TOKENLESS:
            return False
        _log.warning(
            "notifications name an account that is not connected",
            portal_id=portal_id,
            reason=str(failure),
        )
        return True
    except HubSpotError:
        return False
    return True
