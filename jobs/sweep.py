"""The tasks that every worker owns beside its jobs: its heartbeat, the sweep, the connection."""

import asyncio
import random
import time

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError
from jobs.queue import queue_key
from jobs.verdicts import doubling

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
        try:
            if time.monotonic() - beaten_at >= beat_s:
                await context.ledger.beat(worker, context.slots)
                beaten_at = time.monotonic()
            await context.doorbells.ring(await context.ledger.sweep(worker, queue))
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


async def connect_accounts(context: Context) -> None:
    """Let the calls of the accounts that have a token be read; tries until HubSpot has answered.

    HubSpot is asked only for a token whose portal id is not known yet.
    """
    failures = 0
    while True:
        try:
            for portal_id in await context.accounts.connected():
                await context.doorbells.ring(await context.ledger.connect(portal_id))
        except (RedisError, OSError, HubSpotError) as error:
            failures += 1
            timing = context.timing
            wait_ms = doubling(
                failures, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms
            )
            _log.warning("accounts not connected yet", error=str(error), retry_in_ms=wait_ms)
            await asyncio.sleep(wait_ms / 1000)
        else:
            return
