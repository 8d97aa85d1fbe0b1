"""Reads one page of HubSpot's listing: the calls on it, and whether all of each is known.

A page brings calls and their associations in one answer, of one moment and for one request, where a
batch read costs one more for each type of association. What a page tells of a call's associations
is complete unless it names a further page of them, or a type that was not asked for by that name:
then the call is in doubt, and whoever called marks it, so that the live job reads it.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from jobs.backfill.record import Reads
from jobs.hubspot.client import HubSpot, fits_url
from jobs.hubspot.errors import RecordRefused
from jobs.hubspot.schema import Call, CallPage, Undecodable, sorted_ids
from jobs.live.reading import Found
from jobs.stream.projection import Projection


class Page(msgspec.Struct, frozen=True):
    """A page of the listing."""

    found: Mapping[str, Found]
    """Calls of which everything is known."""
    doubtful: Sequence[str]
    """Calls to be marked."""
    undecodable: Sequence[Undecodable]
    """Records to be set aside."""
    after: str | None
    """HubSpot's cursor of the next page; None = this is the last."""


def cost_of(projection: Projection) -> int:
    """Return how many requests a page takes."""
    return 1 if fits_url(projection.properties) else 2


async def read_page(
    hubspot: HubSpot, portal_id: int, reads: Reads, after: str | None, projection: Projection
) -> Page:
    """Read the page at the cursor `after`; its requests are taken as paid for.

    Raises:
        PortalFailure, RecordRefused: as `HubSpot.list_page` does.
        redis.RedisError: likewise.
    """
    archived = reads == "archived"
    fits = fits_url(projection.properties)
    answer = await hubspot.list_page(
        portal_id,
        after,
        properties=projection.properties if fits else (),
        associations=projection.associations,
        archived=archived,
        prepaid=True,
    )
    if fits or not answer.page.calls:
        return page_of(answer.page, {call.id: call for call in answer.page.calls}, projection)
    ids = [call.id for call in answer.page.calls]
    try:
        batch = await hubspot.read_calls(
            portal_id, ids, projection.properties, archived=archived, prepaid=True
        )
    except RecordRefused:  # one of them is to blame: the live job finds out which
        return page_of(answer.page, {}, projection)
    return page_of(answer.page, batch.calls, projection)


def page_of(listed: CallPage, calls: Mapping[str, Call], projection: Projection) -> Page:
    """Return the page, with the calls as read and the associations as listed."""
    found: dict[str, Found] = {}
    doubtful: list[str] = []
    wanted = frozenset(projection.associations)
    for call in listed.calls:
        associations = associations_of(call, wanted)
        read = calls.get(call.id)
        if associations is None or read is None:
            doubtful.append(call.id)
        else:
            found[call.id] = Found(read, associations)
    return Page(found, doubtful, listed.undecodable, listed.after)


def associations_of(call: Call, wanted: AbstractSet[str]) -> dict[str, tuple[str, ...]] | None:
    """Return the ids on the other side by wanted type; None if the record does not tell all."""
    listed = call.associations
    if not listed:
        return {}
    if not listed.keys() <= wanted:
        return None
    known: dict[str, tuple[str, ...]] = {}
    for kind, others in listed.items():
        if others is None:
            continue
        if others.paging is not None and others.paging.after is not None:
            return None
        known[kind] = sorted_ids(other.id for other in others.results)
    return known
