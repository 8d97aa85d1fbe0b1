"""The further steps of a round: both listings, and our own records that neither has named.

A listing shows whole states, so a call's digest is compared with its record's: that finds changed
associations, which move no `updatedAt`. What is the same is thereby confirmed as of now; so the
records that were not confirmed since the listings began are those that HubSpot did not name.
"""

from collections.abc import Mapping, Sequence

import msgspec

from jobs import digest
from jobs.hints import Hint
from jobs.hubspot.association import sorted_ids
from jobs.hubspot.errors import RecordRefused
from jobs.hubspot.reads import PageRead
from jobs.hubspot.schema import Call
from jobs.hubspot.searching import MERGED, MODIFIED
from jobs.instants import to_ms
from jobs.reconciliation.comparing import Compared, View
from jobs.reconciliation.merging import merged_away
from jobs.reconciliation.runs import Run, after_page
from jobs.reconciliation.tools import Found, Tools, judge_undecodable, mark

MOST_RESTARTS = 3
"""A listing whose cursor HubSpot refuses begins anew, so often in one run."""


async def begin_listings(tools: Tools, run: Run) -> Run:
    """Note every partition's clock, after HubSpot has said that the token is this account's.

    A wrong token would list another account's calls, and none of ours.

    Raises:
        HubSpotError: HubSpot does not say so.
        redis.RedisError: Redis is away.
    """
    context = tools.context
    await context.hubspot.confirm_token(tools.portal_id)
    partitions = range(context.settings.stream_partitions)
    clocks = tuple([await context.stream.ticket(partition) for partition in partitions])
    return msgspec.structs.replace(run, clocks=clocks, counts=run.counts.plus(requests=1))


async def list_page(tools: Tools, run: Run) -> Run:
    """List one page, archived or live by the run's step, and mark what differs.

    Raises:
        HubSpotError: HubSpot cannot be asked now, or refuses the listing.
        StaleProjectionError: the streams know a newer projection.
        redis.RedisError: Redis is away.
    """
    archived = run.step == "archived"
    try:
        read = await _read(tools, run.after, archived=archived)
    except RecordRefused:
        if run.after is None or run.counts.restarts == MOST_RESTARTS:
            raise
        counts = run.counts.plus(requests=1, restarts=1)
        return msgspec.structs.replace(run, after=None, counts=counts)
    page = read.page
    found = await _judge(tools, page.calls, archived=archived)
    odd = judge_undecodable(tools, page.undecodable, "archived" if archived else "listing")
    await mark(tools, found)
    await mark(tools, odd)
    counts = run.counts.plus(
        requests=1,
        seen=len(page.calls) + len(page.undecodable),
        marked=len(found.marks) + len(odd.marks),
        set_aside=len(odd.letters),
    )
    return after_page(msgspec.structs.replace(run, counts=counts), page.after)


async def look_up_unnamed(tools: Tools, run: Run) -> Run:
    """Mark, in a part of our records, those calls that no listing has named.

    Calls that are gone or merged are named by none.

    Raises:
        redis.RedisError: Redis is away.
    """
    records = tools.context.stream.records
    held, place = await records.step(tools.portal_id, run.place)
    clock = run.clocks[run.place[0]]
    found = Found(
        [
            (call_id, Hint(origin="reconciliation", found="unnamed", right_at=record.stamp))
            for call_id, record in held
            if record.stamp < clock and record.state in {"live", "archived"}
        ]
    )
    await mark(tools, found)
    counts = run.counts.plus(marked=len(found.marks))
    if place is None:
        return msgspec.structs.replace(run, step="end", counts=counts)
    return msgspec.structs.replace(run, place=place, counts=counts)


async def _read(tools: Tools, after: str | None, *, archived: bool) -> PageRead:
    """Read a page; of archived calls only which they are."""
    wanted = tools.projection
    return await tools.context.hubspot.list_page(
        tools.portal_id,
        after,
        properties=(MODIFIED,) if archived else sorted({*wanted.properties, MERGED}),
        associations=() if archived else wanted.associations,
        archived=archived,
    )


async def _judge(tools: Tools, calls: Sequence[Call], *, archived: bool) -> Found:
    """Compare a page with the records.

    An archived call changes only by coming back, which moves its `updatedAt`: its digest need not
    be known. A live one whose associations go on behind the page is read as a whole.
    """
    views = [_view(tools, call, archived=archived) for call in calls]
    whole = [(call, view) for call, view in zip(calls, views, strict=True) if view is not None]
    compared = await tools.context.comparer.compare(
        tools.portal_id,
        tools.projection.generation,
        [view for _, view in whole],
        confirms=True,
    )
    marks = [
        (call.id, Hint(origin="reconciliation", found="listing"))
        for call, view in zip(calls, views, strict=True)
        if view is None
    ]
    marks += await merged_away(tools, calls, "listing")
    for (call, _), one in zip(whole, compared, strict=True):
        if one.outcome != "same" and _is_ours(tools, call, one):
            marks.append((call.id, _hint(call, one, archived=archived)))
    return Found(marks)


def _view(tools: Tools, call: Call, *, archived: bool) -> View | None:
    """Return what a listing shows of a call; None if its associations are not whole."""
    updated_at_ms = to_ms(call.updated_at)
    if archived:
        return View(call.id, "archived", updated_at_ms)
    associations = whole_associations(call, tools.projection.associations)
    if associations is None:
        return None
    shown = digest.of_call(
        call.properties, associations, archived=call.archived, wanted=tools.projection.properties
    )
    return View(call.id, "live", updated_at_ms, shown)


def whole_associations(call: Call, types: Sequence[str]) -> Mapping[str, tuple[str, ...]] | None:
    """Return the ids on the other side by type; None if one type has more than the record shows."""
    shown = call.associations or {}
    found: dict[str, tuple[str, ...]] = {}
    for kind in types:
        ids = shown.get(kind)
        if ids is None:
            continue
        if ids.paging is not None and ids.paging.after is not None:
            return None
        found[kind] = sorted_ids(one.id for one in ids.results)
    return found


def _is_ours(tools: Tools, call: Call, compared: Compared) -> bool:
    """Tell whether the stream should have the call.

    One that never was on it, and did not change since the account was connected, is there only if
    the settings want such calls.
    """
    if compared.outcome != "unknown":
        return True
    wanted = tools.context.settings.backfill_on_connect
    if wanted == "all" or (wanted == "live" and not call.archived):
        return True
    touched = call.archived_at if call.archived and call.archived_at else call.updated_at
    return to_ms(touched) >= tools.door.connected_at


def _hint(call: Call, compared: Compared, *, archived: bool) -> Hint:
    newer = compared.outcome != "other" and not archived
    return Hint(
        occurred_at=to_ms(call.updated_at) if newer else 0,
        origin="reconciliation",
        found="archived" if archived else "listing",
        right_at=compared.stamp,
    )
