"""Takes a page to the streams: what is new is published, what must be read singly is marked."""

from collections.abc import Iterable
from typing import Final

from jobs.backfill.pages import Page
from jobs.backfill.record import Tally
from jobs.context import Context
from jobs.hubspot.schema import Undecodable
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark
from jobs.live.publishing import Setting, publish
from jobs.live.reading import Found
from jobs.live.verdicts import Memo, Weighed
from jobs.live.work import Offer, Work
from jobs.stream.stream import Published, Unchanged

_HINT: Final = Hint(origin="backfill")
_HINTS: Final = (_HINT,)
_MET: Final = Weighed(_HINTS, (), 0, 0)
_NOTHING: Final = Memo()
_SETTLED: Final = (Published, Unchanged)
"""Outcomes after which there is nothing left to do for a call."""


async def publish_page(context: Context, setting: Setting, page: Page) -> Tally:
    """Publish what is new on the page and mark what the live job must read; safe to do twice.

    Records that do not decode are counted only: see `letters`.

    Raises:
        StaleProjectionError: the page was read with an outdated list of properties.
        redis.RedisError: Redis did not take all of it.
    """
    offers = [_offer(call_id, found) for call_id, found in page.found.items()]
    outcomes = await publish(context.stream, setting, offers)
    again = [call_id for call_id, outcome in outcomes.items() if not isinstance(outcome, _SETTLED)]
    await _mark(context, setting.portal_id, [*again, *page.doubtful])
    published = sum(isinstance(outcome, Published) for outcome in outcomes.values())
    return Tally(
        published=published,
        unchanged=len(outcomes) - published - len(again),
        marked=len(again) + len(page.doubtful),
        set_aside=len(page.undecodable),
    )


def letters(portal_id: int, records: Iterable[Undecodable]) -> list[DeadLetter]:
    """Return the dead letters of records that do not decode, to be written as the cursor moves."""
    return [
        DeadLetter(
            reason="undecodable-call",
            error=record.error,
            raw=record.raw,
            origin="backfill",
            portal_id=portal_id,
            call_id=record.call_id,
            attempts=1,
        )
        for record in records
    ]


async def _mark(context: Context, portal_id: int, call_ids: list[str]) -> None:
    if call_ids:
        marks = [Mark(portal_id, call_id, _HINTS) for call_id in call_ids]
        await context.doorbells.ring(await context.ledger.mark(marks))


def _offer(call_id: str, found: Found) -> Offer:
    return Offer(Work(call_id, _NOTHING, _HINTS, 0), found, _MET)
