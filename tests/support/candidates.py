"""Reads of calls, as a job offers them to the stream."""

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.events import digest
from jobs.redis import command
from jobs.stream.records import Record
from jobs.stream.stream import Candidate, Outcome, Stream

PORTAL = 62515
WHEN = "2024-01-15T11:00:00.000Z"
UPDATED_AT_MS = 1_705_316_400_000
"""2024-01-15T11:00:00.000Z."""


def live(
    call_id: str, ticket: int, title: str = "Discovery Call", updated_at_ms: int = UPDATED_AT_MS
) -> Candidate:
    """Return a live call that was read."""
    return Candidate(
        call_id=call_id,
        ticket=ticket,
        digest=_digest(title, archived=False),
        updated_at_ms=updated_at_ms,
        state="live",
        first_type="created",
        time=WHEN,
        data=msgspec.json.encode({"title": title}),
    )


def archived(call_id: str, ticket: int, title: str = "Discovery Call") -> Candidate:
    """Return an archived call that was read."""
    return msgspec.structs.replace(
        live(call_id, ticket, title),
        digest=_digest(title, archived=True),
        state="archived",
        first_type="deleted",
    )


def gone(call_id: str, ticket: int) -> Candidate:
    """Return the finding that HubSpot no longer has a call."""
    return msgspec.structs.replace(
        live(call_id, ticket),
        digest=digest.GONE,
        updated_at_ms=0,
        state="gone",
        data=b'{"call":null}',
    )


def merged(call_id: str, ticket: int, target: str = "1024") -> Candidate:
    """Return the finding that HubSpot answers with another call."""
    return msgspec.structs.replace(
        gone(call_id, ticket), digest=digest.of_merged(target), state="merged"
    )


def _digest(title: str, *, archived: bool) -> bytes:
    return digest.of_call({"hs_call_title": title}, {}, archived=archived, wanted=["hs_call_title"])


async def publish(stream: Stream, *candidates: Candidate, generation: int = 1) -> list[Outcome]:
    """Publish on partition 0."""
    return await stream.publish(0, PORTAL, generation, candidates)


async def entries(redis: Redis, namespace: str = "") -> list[tuple[str, dict[str, str]]]:
    """Return partition 0's stream: entry ids and fields, in their order."""
    raw = await command(redis, "XRANGE", keys.stream(namespace, 0), "-", "+")
    found: list[tuple[str, dict[str, str]]] = []
    for entry_id, words in msgspec.convert(raw, list[tuple[bytes, dict[bytes, bytes]]]):
        fields = {name.decode(): value.decode() for name, value in words.items()}
        found.append((entry_id.decode(), fields))
    return found


async def types(redis: Redis, call_id: str) -> list[str]:
    """Return the types of a call's events, without what they all start with."""
    return [
        fields["type"].removeprefix("callstream.call.")
        for _, fields in await entries(redis)
        if fields["subject"] == call_id
    ]


async def record_of(stream: Stream, call_id: str) -> Record:
    """Return the record of a known call."""
    return {call: record async for call, record in stream.records.walk(PORTAL)}[call_id]
