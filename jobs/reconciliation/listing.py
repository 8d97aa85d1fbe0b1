"""The further steps of a round: both listings, and our own records that neither has named.

A listing shows whole states, so a call's digest is compared with its record's: that finds changed
associations, which move no `updatedAt`. What is the same is thereby confirmed as of now; so the
records that were not confirmed since the listings began are those that HubSpot did not name.
"""

from typing import Final

import msgspec
import structlog

from jobs.backfill.pages import Page, cost_of, read_page
from jobs.backfill.record import Reads
from jobs.events import digest
from jobs.hubspot.errors import HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.schema import Call
from jobs.hubspot.searching import MERGED, MODIFIED
from jobs.instants import to_ms
from jobs.ledger.hints import Hint
from jobs.live.reading import Found as Listed
from jobs.reconciliation.comparing import Compared, View
from jobs.reconciliation.merging import merged_away
from jobs.reconciliation.runs import Run, after_page
from jobs.reconciliation.tools import Found, Tools, judge_undecodable, mark
from jobs.reconciliation.windows import DisorderError

_UNTOLD: Final = frozenset({"forbidden", "no_such_path", "undecodable"})
"""Failures by which HubSpot does not say whose a token is, and would not the next time."""

MOST_RESTARTS: Final = 3
"""A listing whose cursor HubSpot refuses begins anew, so often in one run."""

_log = structlog.get_logger(__name__)


async def begin_listings(tools: Tools, run: Run) -> Run:
    """Note every partition's clock, once HubSpot has not denied that the token is this account's.

    A wrong token would list another account's calls, and none of ours.

    Raises:
        PortalFailure: it is another account's, or HubSpot cannot be asked now.
        redis.RedisError: Redis is away.
    """
    context = tools.context
    try:
        await context.hubspot.confirm_token(tools.portal_id)
    except HubSpotError as error:
        if isinstance(error, PortalFailure) and error.kind not in _UNTOLD:
            raise
        _log.info("token not confirmed", portal_id=tools.portal_id, reason=str(error))
    partitions = range(context.settings.stream_partitions)
    clocks = tuple([await context.stream.ticket(partition) for partition in partitions])
    return msgspec.structs.replace(run, clocks=clocks, counts=run.counts.plus(requests=1))


async def list_page(tools: Tools, run: Run) -> Run:
    """List one page, archived or live by the run's step, and mark what differs.

    Raises:
        HubSpotError: HubSpot cannot be asked now, or refuses the listing.
        DisorderError: it goes in a circle.
        StaleProjectionError: the streams know a newer projection.
        redis.RedisError: Redis is away.
    """
    reads: Reads = "archived" if run.step == "archived" else "live"
    try:
        page = await _read(tools, run.after, reads)
    except RecordRefused:
        if run.after is None or run.counts.restarts == MOST_RESTARTS:
            raise
        counts = run.counts.plus(requests=1, restarts=1)
        return msgspec.structs.replace(run, after=None, anchor=None, counts=counts)
    if page.after is not None and page.after in (run.after, run.anchor):
        msg = "the listing goes in a circle"
        raise DisorderError(msg)
    how = "archived" if reads == "archived" else "listing"
    found = await _judge(tools, page, reads)
    odd = judge_undecodable(tools, page.undecodable, how)
    await mark(tools, found)
    await mark(tools, odd)
    counts = run.counts.plus(
        requests=1,
        seen=len(page.found) + len(page.doubtful) + len(page.undecodable),
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


async def _read(tools: Tools, after: str | None, reads: Reads) -> Page:
    """Read a page as a backfill does; of archived calls only which they are.

    Raises:
        HubSpotError: as `read_page`; kind `budget` if live work needs what is left of it.
        redis.RedisError: likewise.
    """
    context, wanted = tools.context, tools.projection
    shown = (
        msgspec.structs.replace(wanted, properties=(MODIFIED,), associations=())
        if reads == "archived"
        else msgspec.structs.replace(wanted, properties=tuple(sorted({*wanted.properties, MERGED})))
    )
    wait_ms = await context.budget.take(
        tools.portal_id, cost_of(shown), leaving=1 + len(wanted.associations)
    )
    if wait_ms:
        raise PortalFailure(kind="budget", retry_after_ms=wait_ms)
    return await read_page(context.hubspot, tools.portal_id, reads, after, shown)


async def _judge(tools: Tools, page: Page, reads: Reads) -> Found:
    """Compare a page with the records.

    An archived call changes only by coming back, which moves its `updatedAt`: its digest need not
    be known. A call of which the page does not tell all is read.
    """
    views = [_view(tools, listed) for listed in page.found.values()]
    compared = await tools.context.comparer.compare(
        tools.portal_id, tools.projection.generation, views, confirms=True
    )
    how = "archived" if reads == "archived" else "listing"
    doubted = Hint(origin="reconciliation", found=how)
    marks = [(call_id, doubted) for call_id in page.doubtful]
    marks += await merged_away(tools, [listed.call for listed in page.found.values()], how)
    for listed, one in zip(page.found.values(), compared, strict=True):
        if one.outcome != "same" and _is_ours(tools, listed.call, one):
            marks.append((listed.call.id, _hint(listed.call, one, how)))
    return Found(marks)


def _view(tools: Tools, listed: Listed) -> View:
    call = listed.call
    updated_at_ms = to_ms(call.updated_at)
    if call.archived:
        return View(call.id, "archived", updated_at_ms)
    wanted = tools.projection.properties
    shown = digest.of_call(call.properties, listed.associations, archived=False, wanted=wanted)
    return View(call.id, "live", updated_at_ms, shown)


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


def _hint(call: Call, compared: Compared, how: str) -> Hint:
    newer = compared.outcome != "other" and not call.archived
    return Hint(
        occurred_at=to_ms(call.updated_at) if newer else 0,
        origin="reconciliation",
        found=how,
        right_at=compared.stamp,
    )
