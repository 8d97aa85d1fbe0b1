"""What each step of a reconciliation works with, and how it marks what it has found."""

from collections.abc import Sequence

import msgspec

from jobs.context import Context
from jobs.hubspot.schema import Undecodable
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Door, Mark
from jobs.stream.projection import Projection


class Tools(msgspec.Struct, frozen=True):
    """One turn's tools."""

    context: Context
    portal_id: int
    door: Door
    projection: Projection


class Found(msgspec.Struct, frozen=True):
    """Calls to read and records to set aside, of one page."""

    marks: Sequence[tuple[str, Hint]] = ()
    letters: Sequence[DeadLetter] = ()


async def mark(tools: Tools, found: Found) -> None:
    """Put the calls into the ledger and ring; safe to do twice.

    Raises:
        redis.RedisError: Redis is away; the page is to be read again.
    """
    if not found.marks and not found.letters:
        return
    marks = [Mark(tools.portal_id, call_id, (hint,)) for call_id, hint in found.marks]
    context = tools.context
    await context.doorbells.ring(await context.ledger.mark(marks, found.letters))


def judge_undecodable(tools: Tools, records: Sequence[Undecodable], how: str) -> Found:
    """Return what becomes of records that cannot be read: they are marked, as far as they have ids.

    Their own read sets them aside if it fares no better.
    """
    hint = Hint(origin="reconciliation", found=how)
    return Found(
        [(record.call_id, hint) for record in records if record.call_id is not None],
        [
            DeadLetter(
                reason="undecodable-call",
                error=record.error,
                raw=record.raw,
                origin="reconciliation",
                portal_id=tools.portal_id,
                call_id=None,
            )
            for record in records
            if record.call_id is None
        ],
    )
