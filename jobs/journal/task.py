"""The task that reads the journal: owned by every worker of the collections, at work in one."""

import asyncio
import random
from typing import Final

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.journal.reader import Reader, Step
from jobs.live.verdicts import doubling

_AT_ONCE: Final[frozenset[Step]] = frozenset({"read", "gap", "set_aside"})
_LEAVE_S: Final = 1.0

_log = structlog.get_logger(__name__)


async def read_forever(context: Context, worker: str) -> None:
    """Read the journal whenever it is this worker's turn, until cancelled.

    Returns at once if the settings name no app for it.
    """
    if context.journal is None:
        return
    reader = Reader(context, context.journal, worker)
    try:
        await _read(context, reader)
    finally:
        await _leave(reader)


async def _read(context: Context, reader: Reader) -> None:
    timing, failures = context.timing, 0
    while True:
        wait_ms = timing.journal_poll_ms
        if context.ledger_room.tight:  # the journal keeps for three days what is not read
            await asyncio.sleep(wait_ms / 1000)
            continue
        try:
            async with asyncio.timeout(timing.journal_step_ms / 1000):
                step = await reader.step()
        except (HubSpotError, RedisError, OSError, TimeoutError) as error:
            failures += 1
            wait_ms = _backoff(context, error, failures)
            if failures == 1:
                _log.warning("journal not read", reason=str(error), retry_in_ms=wait_ms)
        else:
            failures = 0
            if step in _AT_ONCE:
                continue
        await asyncio.sleep(wait_ms / 1000 * random.uniform(0.8, 1.0))  # noqa: S311 - spreads


def _backoff(context: Context, error: Exception, failures: int) -> int:
    timing = context.timing
    told = error.retry_after_ms if isinstance(error, PortalFailure) else None
    own = doubling(failures, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms)
    return max(told or 0, own)


async def _leave(reader: Reader) -> None:
    """Let another worker read at once; a Redis that is away forgets the lease by itself."""
    try:
        async with asyncio.timeout(_LEAVE_S):
            await reader.leave()
    except (RedisError, OSError, TimeoutError) as error:
        _log.info("journal left without a word", error=repr(error))
