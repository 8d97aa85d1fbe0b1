"""An entry of a call stream is read for what it is, whatever it is."""

import msgspec
import pytest
from callstream_client import events, keys
from hypothesis import given
from hypothesis import strategies as st

DATA = events.CallEventData(
    portal_id=62515,
    call_id="512",
    origin="webhook",
    changes=(events.Change("creation", None, "2024-01-15T11:00:00.000Z", "CRM_UI"),),
    call=events.Call(
        id="512",
        title="Discovery Call",
        created_at="2024-01-15T10:30:00.000Z",
        updated_at="2024-01-15T11:00:00.000Z",
        archived=False,
        associations={"contacts": ("101",)},
        properties={"hs_call_title": "Discovery Call", "hs_call_body": None},
    ),
)

ENTRY = {
    b"specversion": b"1.0",
    b"id": b"62515:512:1705316400123",
    b"source": b"/callstream/default/hubspot/portals/62515",
    b"type": b"callstream.call.created",
    b"subject": b"512",
    b"time": b"2024-01-15T11:00:00.000Z",
    b"datacontenttype": b"application/json",
    b"dataschema": b"urn:callstream:schema:call-event:v1",
    b"partitionkey": b"62515:512",
    b"sequence": b"00000001705316400123",
    b"data": events.encode_data(DATA),
}

NOTICE = {
    b"specversion": b"1.0",
    b"id": b"trimmed:0:1",
    b"source": b"/callstream/default/hubspot/portals/62515",
    b"type": b"callstream.stream.trimmed",
    b"time": b"2024-01-15T11:00:00.000Z",
    b"datacontenttype": b"application/json",
    b"dataschema": b"urn:callstream:schema:notice:v1",
    b"data": b'{"portal_id":null,"partition":3,"first_id":"1-0","last_id":"9-0","groups":["crm"]}',
}


def test_call_event() -> None:
    """A call event is read with its attributes and its typed payload."""
    event = events.decode(ENTRY)
    assert event == events.CallEvent(
        id="62515:512:1705316400123",
        source="/callstream/default/hubspot/portals/62515",
        type=events.CREATED,
        subject="512",
        time="2024-01-15T11:00:00.000Z",
        partition_key="62515:512",
        sequence="00000001705316400123",
        data=DATA,
    )


def test_notice() -> None:
    """A notice is read with the range that it is about."""
    event = events.decode(NOTICE)
    assert isinstance(event, events.NoticeEvent)
    assert event.type == events.TRIMMED
    assert event.data == events.NoticeData(
        partition=3, first_id="1-0", last_id="9-0", groups=("crm",)
    )
    assert events.encode_data(event.data) == NOTICE[b"data"]


def test_later_release() -> None:
    """Fields, members, types, kinds and origins of a later release cost nothing that is known."""
    later = ENTRY[b"data"].replace(b'"webhook"', b'"telepathy"')
    for first in (b'{"portal_id"', b'{"kind"', b'{"id"'):
        later = later.replace(first, first.replace(b"{", b'{"new":[{}],'))
    event = events.decode(
        {
            **ENTRY,
            b"type": b"callstream.call.archived",
            b"traceparent": b"00-1",
            b"new": b"x",
            b"data": later,
        }
    )
    assert isinstance(event, events.CallEvent)
    assert (event.type, event.data.origin) == ("callstream.call.archived", "telepathy")
    assert event.data.call == DATA.call
    assert event.traceparent == "00-1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"dataschema": b"urn:callstream:schema:call-event:v2"}, "unknown dataschema"),
        ({b"dataschema": b"\xff"}, "unknown dataschema"),
        ({b"data": b'{"portal_id":"secret"}'}, "not a urn:callstream:schema:call-event:v1"),
        ({b"data": b"\xff"}, "not a urn:callstream:schema:call-event:v1"),
        ({b"subject": b"\xff"}, "not a urn:callstream:schema:call-event:v1"),
    ],
)
def test_unknown(change: dict[bytes, bytes], reason: str) -> None:
    """What cannot be read is an unknown event that says why and keeps the entry to itself."""
    event = events.decode({**ENTRY, **change})
    assert isinstance(event, events.UnknownEvent)
    assert reason in event.reason
    assert event.fields == {**ENTRY, **change}
    assert "secret" not in repr(event)


@pytest.mark.parametrize("name", [b"id", b"source", b"type", b"subject", b"sequence", b"data"])
def test_missing_field(name: bytes) -> None:
    """An entry that lacks a field is unknown and says which."""
    event = events.decode({key: value for key, value in ENTRY.items() if key != name})
    assert isinstance(event, events.UnknownEvent)
    assert event.reason == f"field {name.decode()} is missing"


def test_repr_hides_what_was_said() -> None:
    """An event does not show the call's texts when it is printed."""
    shown = repr(events.decode(ENTRY))
    assert "512" in shown
    assert "Discovery" not in shown


def test_defaults_are_written() -> None:
    """Every member is written, null or not, so that no reader has to know defaults."""
    call = events.Call(id="1", created_at="", updated_at="", archived=True)
    written = msgspec.json.decode(msgspec.json.encode(call), type=dict[str, object])
    assert list(written) == list(events.Call.__struct_fields__)


def test_keys() -> None:
    """Key names carry the namespace before them and the hash tag in them."""
    assert keys.stream("", 0) == "calls:{0}"
    assert keys.stream("blue", 12) == "blue:calls:{12}"
    assert (keys.meta(""), keys.meta("blue")) == ("calls:meta", "blue:calls:meta")
    assert keys.source("", 62515) == "/callstream/default/hubspot/portals/62515"
    assert keys.source("blue", 62515) == "/callstream/blue/hubspot/portals/62515"
    assert keys.partition_key(62515, "512") == "62515:512"


@given(
    st.dictionaries(
        st.sampled_from(sorted(ENTRY)), st.binary() | st.sampled_from(sorted(ENTRY.values()))
    )
)
def test_anything(fields: dict[bytes, bytes]) -> None:
    """Decoding never raises."""
    for schema in (events.CALL_EVENT_SCHEMA, events.NOTICE_SCHEMA):
        events.decode(fields)
        events.decode({**ENTRY, **fields})
        events.decode({**NOTICE, **fields, b"dataschema": schema.encode()})
