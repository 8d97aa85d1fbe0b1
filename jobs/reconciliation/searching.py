"""The first step of a reconciliation: what HubSpot's search shows as modified since the watermark.

A hit whose record already shows that time of modification, or a later one, is passed over: the
state that was published or confirmed then was read with that `updatedAt`, so it holds the change.
What moves no `updatedAt`, associations and deletions, search cannot tell; the listings do.
"""

from collections.abc import Sequence

import msgspec

from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.schema import Call
from jobs.hubspot.searching import MODIFIED
from jobs.instants import parse, to_ms
from jobs.ledger.hints import Hint
from jobs.reconciliation.comparing import View
from jobs.reconciliation.merging import merged_away
from jobs.reconciliation.runs import Run, after_search
from jobs.reconciliation.tools import Found, Tools, judge_undecodable, mark
from jobs.reconciliation.windows import Windows, begin


async def search_page(tools: Tools, run: Run) -> Run:
    """Search one page and mark what is new of it; return the run behind that page.

    Raises:
        HubSpotError: HubSpot cannot be searched now, or refuses the search.
        DisorderError: its rows are not in order.
        StaleProjectionError: the streams know a newer projection.
        redis.RedisError: Redis is away.
    """
    if run.windows is None:
        return await _open_windows(tools, run)
    windows = run.windows
    if not windows.highs:
        return after_search(run)
    read = await tools.context.hubspot.search_calls(
        tools.portal_id, since_ms=windows.low, until_ms=windows.high, after_id=windows.last_id
    )
    page = read.page
    named = [call.id for call in page.calls] + [bad.call_id for bad in page.undecodable]
    left = windows.after(page.total, _in_order(named))
    counts = run.counts.plus(requests=1)
    if not windows.is_halved_by(left):
        found = await _judge(tools, page.calls)
        odd = judge_undecodable(tools, page.undecodable, "search")
        await mark(tools, found)
        await mark(tools, odd)
        counts = counts.plus(
            seen=len(named),
            marked=len(found.marks) + len(odd.marks),
            set_aside=len(odd.letters),
        )
    return msgspec.structs.replace(run, windows=left, counts=counts)


async def _open_windows(tools: Tools, run: Run) -> Run:
    """Ask for HubSpot's time, and whether there is anything at all."""
    timing = tools.context.timing
    read = await tools.context.hubspot.search_calls(tools.portal_id, since_ms=run.since, limit=1)
    if read.date_ms is None:
        raise PortalFailure(kind="undecodable", detail="the answer has no date")
    until = read.date_ms - timing.search_margin_ms
    windows = begin(run.since, until)
    if read.page.total == 0:
        windows = Windows(max(run.since, until + 1), ())
    counts = run.counts.plus(requests=1)
    return msgspec.structs.replace(run, until=until, windows=windows, counts=counts)


def _in_order(ids: Sequence[str | None]) -> list[str | None]:
    """Return the ids of decoded rows in HubSpot's order; those of bad rows where they belong.

    Bad rows come apart from the others, so that their own place is not known.
    """
    known = [call_id for call_id in ids if call_id is not None]
    unknown: list[str | None] = [None] * (len(ids) - len(known))
    return [*known, *unknown]


async def _judge(tools: Tools, calls: Sequence[Call]) -> Found:
    views = [View(call.id, "live", _modified_ms(call)) for call in calls]
    compared = await tools.context.comparer.compare(
        tools.portal_id, tools.projection.generation, views, confirms=False
    )
    merged = await merged_away(tools, calls, "search")
    return Found(
        merged
        + [
            (
                view.call_id,
                Hint(
                    occurred_at=view.updated_at_ms,
                    origin="reconciliation",
                    found="search",
                    right_at=one.stamp,
                ),
            )
            for view, one in zip(views, compared, strict=True)
            if one.outcome != "same"
        ]
    )


def _modified_ms(call: Call) -> int:
    """Return the later of the two places where HubSpot tells when the call was modified."""
    told = parse(call.properties.get(MODIFIED) or "")
    return max(to_ms(call.updated_at), 0 if told is None else to_ms(told))
