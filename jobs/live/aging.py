"""The task that lets go of what has waited too long: see `jobs.ledger.aging`."""

import asyncio
import random
import secrets

import structlog
from redis.exceptions import RedisError

from jobs.context import Context
from jobs.reconciliation.runs import Ask

_log = structlog.get_logger(__name__)


async def age_forever(context: Context) -> None:
    """Let go of what is too old, every now and then, until cancelled; any worker may."""
    settings = context.settings
    while True:
        try:
            dropped = await context.aging.drop_letters(settings.dead_letter_max_age * 1000)
            if dropped:
                _log.info("old dead letters dropped", count=dropped)
            strangers = await context.ledger.strangers()
            for portal_id in {*strangers, *await context.accounts.portals()}:
                await _give_up(context, portal_id)
        except (RedisError, OSError) as error:
            _log.info("what is old is left for later", error=repr(error))
        every_s = context.timing.aging_every_ms / 1000
        await asyncio.sleep(every_s * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret


async def _give_up(context: Context, portal_id: int) -> None:
    max_age_s = context.settings.mark_max_age
    done = await context.aging.give_up(portal_id, max_age_s * 1000)
    if not done.marks:
        return
    if done.was_connected:
        ask = Ask(id=f"{portal_id}-{secrets.token_hex(6)}", full=True)
        await context.reconciliations.ask(portal_id, ask)
    _log.warning(
        "marks given up: the account is not connected",
        portal_id=portal_id,
        marks=done.marks,
        older_than_s=max_age_s,
    )
