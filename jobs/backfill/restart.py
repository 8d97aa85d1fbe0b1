"""The task that finds what nobody asks for: new accounts' backfills, and turns that were lost."""

import asyncio
import random

import structlog
from redis.exceptions import RedisError

from jobs.backfill.operate import ON_CONNECT
from jobs.context import Context
from jobs.live.verdicts import doubling
from jobs.queue import queue_key

_log = structlog.get_logger(__name__)


async def restart_forever(context: Context) -> None:
    """Ask for the turns of new and of forgotten runs, until cancelled.

    Any number of workers may do so at once: each run is asked for by one of them.
    """
    failures = 0
    while True:
        try:
            await restart(context)
            failures = 0
        except (RedisError, OSError) as error:
            failures += 1
            if failures == 1:
                _log.warning("backfills not looked after", error=repr(error))
        every_ms = context.timing.backfill_look_ms
        pause_ms = doubling(failures + 1, every_ms, 10 * every_ms)
        await asyncio.sleep(pause_ms / 1000 * random.uniform(0.8, 1.0))  # noqa: S311 - spreads


async def restart(context: Context) -> None:
    """Start the backfills of accounts that were connected for the first time, and ask for turns.

    Raises:
        redis.RedisError: Redis is away.
    """
    settings = context.settings
    for run in await context.runs.start_newcomers(ON_CONNECT[settings.backfill_on_connect]):
        _log.info("backfill of a new account", portal_id=run.portal_id, reads=run.reads)
        await context.turns.ask(run.portal_id, run.reads)
    queue = queue_key(settings.namespace, "collections")
    for portal_id, reads in await context.runs.forgotten(queue):
        await context.turns.ask(portal_id, reads)
