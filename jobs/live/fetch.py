"""The live job: claim a portal's due calls, read them, publish what is new, settle each."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.ledger.messages import Claim, Later, Verdict
from jobs.live.latency import side_by_side
from jobs.live.process import process

HAND_BACK_S: Final = 2.0
"""How long a job that is told to stop may take to give its calls back."""

_log = structlog.get_logger(__name__)


async def fetch_calls(context: Context, portal_id: int, bell_id: str) -> None:
    """Answer a doorbell: take one claim of the portal's due calls through to the stream.

    A call that cannot be settled now goes back to the ledger with a time; nothing waits in here.
    Without room for what would be published nothing is claimed; the sweep rings again later.

    Raises:
        redis.RedisError: Redis is away; the lease ends by itself and the sweep rings again.
    """
    if context.streams_room.tight:
        return
    allowed = side_by_side(
        context.budget.spending(portal_id).rate, context.latency.mean_ms, context.slots
    )
    claim = await context.ledger.claim(portal_id, bell_id, side_by_side=allowed)
    if not claim.token:
        await context.doorbells.ring(claim.bells)
        return
    try:
        await context.doorbells.ring(claim.bells)
        async with _renewing(context, portal_id, claim):
            verdicts, outcome = await process(context, portal_id, claim)
        bells = await context.ledger.settle(portal_id, claim.token, verdicts, outcome)
    except asyncio.CancelledError:
        # Once settled, giving back has no effect: the claim holds nothing any more.
        await asyncio.shield(_give_back(context, portal_id, claim))
        raise
    if outcome.kind == "failed":
        _log.warning(
            "account sleeps", portal_id=portal_id, why=outcome.why, for_ms=outcome.sleep_ms
        )
    await context.doorbells.ring(bells)


def _handed_back(claim: Claim) -> list[Verdict]:
    return [Later(call.call_id) for call in claim.calls]


async def _give_back(context: Context, portal_id: int, claim: Claim) -> None:
    """Return the claimed calls at once, so that another worker need not wait for the lease."""
    try:
        async with asyncio.timeout(HAND_BACK_S):
            await context.ledger.settle(portal_id, claim.token, _handed_back(claim))
    except (RedisError, OSError, TimeoutError) as error:
        _log.warning("calls not handed back", portal_id=portal_id, error=repr(error))


@contextlib.asynccontextmanager
async def _renewing(context: Context, portal_id: int, claim: Claim) -> AsyncGenerator[None]:
    """Renew the claim's lease for as long as the block runs."""
    task = asyncio.create_task(_renew(context, portal_id, claim))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _renew(context: Context, portal_id: int, claim: Claim) -> None:
    ids = [call.call_id for call in claim.calls]
    kept = len(ids)
    while kept:
        await asyncio.sleep(context.timing.renew_every_ms / 1000)
        try:
            kept = await context.ledger.renew(portal_id, claim.token, ids)
        except (RedisError, OSError) as error:
            _log.warning("lease not renewed", portal_id=portal_id, error=repr(error))
