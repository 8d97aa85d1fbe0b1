"""The task that lets accounts be reconciled in time: owned by every worker of the collections."""

import asyncio
import random

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.live.verdicts import doubling

_log = structlog.get_logger(__name__)


async def schedule_forever(context: Context, worker: str) -> None:
    """Ring the accounts that want a reconciliation, when it is this worker's turn, until cancelled.

    Each account has its own place in the time between two searches, so that they never come all at
    once, and is named again if its job got lost.
    """
    every_s = context.timing.collection_ring_ms / 1000
    spread_ms = context.settings.reconcile_every * 1000
    failures = 0
    while True:
        try:
            connected = await context.accounts.portals()
            due = await context.reconciliations.due(
                worker, context.reconciles.queue, connected, spread_ms
            )
            for portal_id in due:
                await context.reconciles.ask(portal_id)
            failures = 0
        except (RedisError, OSError) as error:
            failures += 1
            if failures == 1:
                _log.warning("reconciliations not scheduled", error=repr(error))
        pause_s = every_s if not failures else doubling(failures, 500, 10_000) / 1000
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret
