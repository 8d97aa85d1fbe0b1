"""Offers what was read to the stream: from HubSpot's answers to candidates, and to outcomes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec
from callstream_client.events import encode_data

from jobs.events import digest
from jobs.events.normalise import normalise
from jobs.events.payload import call_event_data, event_time
from jobs.instants import to_ms
from jobs.ledger.hints import Bucket
from jobs.live.reading import Found, Merged, Missing
from jobs.live.verdicts import is_erased
from jobs.live.work import Offer
from jobs.stream.projection import Projection
from jobs.stream.stream import Candidate, Outcome, Stream


class Setting(msgspec.Struct, frozen=True):
    """What all offers of one round have in common."""

    portal_id: int
    projection: Projection
    tickets: Mapping[int, int]
    """By partition, taken before the first request."""
    dispositions: Mapping[str, str]
    connected_at: int
    """When the portal was connected, in epoch ms: calls created since are new."""
    now: int
    """Redis' epoch ms."""


async def take_tickets(stream: Stream, portal_id: int, ids: Collection[str]) -> dict[int, int]:
    """Return a ticket for each partition that the calls may be published to."""
    partitions = sorted({stream.partition_of(portal_id, call_id) for call_id in ids})
    return {partition: await stream.ticket(partition) for partition in partitions}


async def take_every_ticket(stream: Stream) -> dict[int, int]:
    """Return a ticket for every partition: which calls will be read is not known yet."""
    return {partition: await stream.ticket(partition) for partition in range(stream.partitions)}


def tickets_seen(stream: Stream) -> dict[int, int]:
    """Return what this process saw last of every partition's clock, as tickets of those moments."""
    return {partition: stream.seen(partition) for partition in range(stream.partitions)}


async def publish(stream: Stream, setting: Setting, offers: Sequence[Offer]) -> dict[str, Outcome]:
    """Publish what is new of the offers; return the outcome by call.

    Raises:
        StaleProjectionError: the calls were read with an outdated list of properties.
        redis.RedisError: the streams' Redis did not take it; offering again is safe.
    """
    by_partition: dict[int, list[Offer]] = {}
    for offer in offers:
        partition = stream.partition_of(setting.portal_id, offer.work.call_id)
        by_partition.setdefault(partition, []).append(offer)
    outcomes: dict[str, Outcome] = {}
    for partition, part in by_partition.items():
        candidates = [_candidate(offer, setting, setting.tickets[partition]) for offer in part]
        answers = await stream.publish(
            partition, setting.portal_id, setting.projection.generation, candidates
        )
        outcomes.update(
            (offer.work.call_id, answer) for offer, answer in zip(part, answers, strict=True)
        )
    return outcomes


def _candidate(offer: Offer, setting: Setting, ticket: int) -> Candidate:
    match offer.answer:
        case Found() as found if found.call.archived and is_erased(offer.work.hints):
            # HubSpot may show it for a while: nobody who asked for its erasure shall see it here.
            return _departed(offer, setting, ticket, merged_into=None)
        case Found() as found:
            return _found(offer, found, setting, ticket)
        case Merged(into):
            return _departed(offer, setting, ticket, merged_into=into)
        case Missing():
            return _departed(offer, setting, ticket, merged_into=None)


def _found(offer: Offer, found: Found, setting: Setting, ticket: int) -> Candidate:
    call, wanted, said = found.call, setting.projection.properties, offer.said
    normalised = normalise(call, found.associations, setting.dispositions, wanted)
    data = call_event_data(
        portal_id=setting.portal_id,
        call_id=offer.work.call_id,
        call=normalised,
        said=said,
        origin=offer.origin,
    )
    return Candidate(
        call_id=offer.work.call_id,
        ticket=ticket if found.ticket is None else min(ticket, found.ticket),
        digest=digest.of_call(
            normalised.properties, found.associations, archived=call.archived, wanted=wanted
        ),
        updated_at_ms=to_ms(call.updated_at),
        state="archived" if call.archived else "live",
        first_type=_first_type(found, said, setting.connected_at),
        time=event_time(normalised, said, setting.now),
        data=encode_data(data),
    )


def _departed(offer: Offer, setting: Setting, ticket: int, *, merged_into: str | None) -> Candidate:
    data = call_event_data(
        portal_id=setting.portal_id,
        call_id=offer.work.call_id,
        call=None,
        said=offer.said,
        merged_into=merged_into,
    )
    return Candidate(
        call_id=offer.work.call_id,
        ticket=ticket,
        digest=digest.GONE if merged_into is None else digest.of_merged(merged_into),
        updated_at_ms=0,
        state=_departed_as(offer, merged_into),
        first_type="deleted",
        time=event_time(None, offer.said, setting.now),
        data=encode_data(data),
    )


def _departed_as(offer: Offer, merged_into: str | None) -> Literal["gone", "merged", "erased"]:
    if merged_into is not None:
        return "merged"
    return "erased" if is_erased(offer.work.hints) else "gone"


def _first_type(
    found: Found, said: Bucket, connected_at: int
) -> Literal["created", "snapshot", "deleted"]:
    """Return the type of the event should the call never have been seen."""
    kinds = [hint.kind for hint in said.hints]
    if found.call.archived:
        return "deleted" if "deletion" in kinds else "snapshot"
    if "creation" in kinds or to_ms(found.call.created_at) >= connected_at > 0:
        return "created"
    return "snapshot"
