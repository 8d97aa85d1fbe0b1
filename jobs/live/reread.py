"""Marks all known calls of a portal, so that a new list of properties reaches every one of them."""

from typing import Final

import structlog

from jobs.context import Context
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark

CHUNK: Final = 500
"""Calls marked by one commit."""

_log = structlog.get_logger(__name__)


async def reread_calls(context: Context, portal_id: int, generation: int) -> None:
    """Mark the portal's known calls for a projection's generation; safe to do twice.

    From now on the streams refuse what was read with an older list, also of processes that have
    not noticed yet. Nothing is done for an account that is not connected: it has its turn when its
    list is asked for again.

    Raises:
        redis.RedisError: Redis is away; the generation stays unmarked and is asked for again.
    """
    if not (await context.ledger.door(portal_id)).open:
        return
    await context.stream.records.adopt(portal_id, generation)
    marked = 0
    chunk: list[Mark] = []
    async for call_id, _ in context.stream.records.walk(portal_id):
        chunk.append(Mark(portal_id, call_id, (Hint(origin="reconciliation"),)))
        if len(chunk) == CHUNK:
            await context.doorbells.ring(await context.ledger.mark(chunk))
            marked += len(chunk)
            chunk.clear()
    if chunk:
        await context.doorbells.ring(await context.ledger.mark(chunk))
        marked += len(chunk)
    await context.projections.marked(portal_id, generation)
    if marked:
        _log.info("known calls marked", portal_id=portal_id, calls=marked, generation=generation)
