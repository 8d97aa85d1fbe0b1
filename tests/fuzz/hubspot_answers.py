"""What is promised of any bytes that HubSpot may answer, and of the events made from them."""

import contextlib
import json
from typing import cast

import msgspec
from callstream_client import events

from jobs.events import digest
from jobs.events.normalise import normalise
from jobs.events.payload import call_event_data, event_time
from jobs.hubspot import schema
from jobs.hubspot.faults import fault_of, is_missing
from jobs.hubspot.limits import read_rate_headers
from jobs.instants import parse
from jobs.journal.entries import decode as decode_journal
from jobs.journal.files import BadFileError
from jobs.ledger.hints import Bucket
from jobs.ledger.wire import pack_marks
from tests.fuzz.drawn import Drawn
from tests.fuzz.redis_messages import fits_lua

_PROPERTIES = (
    "hs_call_title",
    "hs_call_body",
    "hs_call_direction",
    "hs_call_status",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_timestamp",
    "hs_call_has_voicemail",
    "hs_call_from_number",
    "hubspot_owner_id",
    "hs_lastmodifieddate",
    "own_property",
)
_RECORD = ("id", "properties", "createdAt", "updatedAt", "archived", "archivedAt", "url")
_TIMES = ("2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00+02:00", "0001-01-01T00:00:00Z", "soon")
_DECODERS = (
    schema.decode_page,
    schema.decode_search,
    schema.decode_batch,
    schema.decode_call,
    schema.decode_associations,
    schema.decode_association_batch,
    schema.decode_account,
    schema.decode_token_info,
    schema.decode_dispositions,
    schema.decode_property_names,
)
_payload = msgspec.json.Encoder()


def hubspot_answers(data: bytes) -> None:
    """An answer is decoded, its bad records set aside, or is an AnswerError that shows no value."""
    for decode in _DECODERS:
        with contextlib.suppress(schema.AnswerError):
            decode(data)
    batch = None
    with contextlib.suppress(schema.AnswerError):
        batch = schema.decode_batch(data)
    for call in batch.calls if batch else ():
        becomes_an_event(call)
        schema.history(call)
    for status in (400, 404, 429, 500):
        assert str(fault_of(status, {}, data))
    is_missing(404, data)
    schema.decode_error(data)


def normaliser(data: bytes) -> None:
    """Any call becomes an event that its reader decodes; what did not change keeps its digest."""
    drawn = Drawn(data)
    record: dict[str, object] = drawn.members(_RECORD)
    if not drawn.chance(8):
        values = {name: drawn.text() for name in _PROPERTIES if not drawn.chance(3)}
        record |= {"id": "512", "archived": drawn.chance(2), "properties": values}
        record["createdAt"] = record["updatedAt"] = drawn.choice(_TIMES)
    if drawn.chance(3):
        record["properties"] = drawn.members(_PROPERTIES)
    raw = json.dumps(record).encode()
    try:
        call = schema.decode_call(raw)
    except schema.AnswerError:
        return
    becomes_an_event(call)
    again = json.dumps(dict(sorted(record.items())), indent=1).encode()
    assert _digest(schema.decode_call(again)) == _digest(call)


def becomes_an_event(call: schema.Call) -> None:
    """Check that a call that was decoded becomes an event that can be written and read."""
    made = normalise(call, {"contacts": ["2", "10", "2"]}, {}, None)
    whole = call_event_data(portal_id=1, call_id=call.id, call=made, said=Bucket())
    written = _payload.encode(whole)
    assert msgspec.json.decode(written, type=events.CallEventData) == whole
    assert made.started_at is None or parse(made.started_at) is not None
    assert event_time(made, Bucket(), 0)
    assert _digest(call) == _digest(call)


def _digest(call: schema.Call) -> bytes:
    return digest.of_call(call.properties, {}, archived=call.archived, wanted=_PROPERTIES)


def journal(data: bytes) -> None:
    """A file of the journal says what becomes of each of its entries, or is a BadFileError."""
    try:
        contents = decode_journal(data)
    except BadFileError:
        return
    for mark in contents.marks:
        assert 0 < mark.portal_id < 2**63
        assert 0 < int(mark.call_id) < 2**63
    fits_lua(pack_marks(contents.marks))
    assert all(letter.error for letter in contents.dead_letters)


def headers(data: bytes) -> None:
    """Whatever an answer's headers say, limits and waits are bounded numbers."""
    names = (
        "Retry-After",
        "Date",
        "X-HubSpot-RateLimit-Max",
        "X-HubSpot-RateLimit-Remaining",
        "X-HubSpot-RateLimit-Interval-Milliseconds",
        "X-HubSpot-RateLimit-Daily",
        "X-HubSpot-RateLimit-Daily-Remaining",
    )
    values = data.decode("utf-8", "replace").split("\n")
    found: dict[str, str] = dict(zip(names, values, strict=False))
    read_rate_headers(found)
    failure = fault_of(429, found, b"{}")
    waits = cast("int | None", getattr(failure, "retry_after_ms", None))
    assert waits is None or 0 <= waits <= 10**9
    parse(values[0])
