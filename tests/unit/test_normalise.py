"""HubSpot's call becomes our call, field by field."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from callstream_client import events
from hypothesis import given
from hypothesis import strategies as st

from jobs.events.normalise import DEFAULT_DISPOSITIONS, LONGEST_DURATION_MS, normalise
from jobs.hubspot import schema
from tests.support import documents

CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"
DERIVED = (
    "hs_call_title",
    "hs_call_body",
    "hs_call_direction",
    "hs_call_status",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_timestamp",
    "hs_call_from_number",
    "hs_call_to_number",
    "hs_call_recording_url",
    "hs_call_has_voicemail",
    "hs_call_source",
    "hubspot_owner_id",
)
"""Every property that a field of its own is made from."""


def hubspot_call(properties: dict[str, str | None], **fields: object) -> schema.Call:
    """Return a record with these properties."""
    record = schema.Call(
        id="512",
        properties=properties,
        created_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
        updated_at=datetime(2024, 1, 15, 11, 0, 0, 123456, tzinfo=UTC),
        archived=False,
    )
    return msgspec.structs.replace(record, **fields)


def of(name: str, value: str | None) -> events.Call:
    """Return our call for a record with one property."""
    return normalise(hubspot_call({name: value}), {}, {})


def test_contract_example() -> None:
    """The example of the contract is what its record becomes, down to the order of its fields."""
    properties: dict[str, str | None] = {
        "hs_call_title": "Discovery Call",
        "hs_call_direction": "OUTBOUND",
        "hs_call_status": "COMPLETED",
        "hs_call_disposition": CONNECTED,
        "hs_call_duration": "1800000",
        "hs_timestamp": "2024-01-15T10:30:00.000Z",
        "hs_call_body": "…",
    }
    call = normalise(hubspot_call(properties), {"contacts": ["101"]}, {})
    assert msgspec.json.encode(call).decode() == (
        '{"id":"512","title":"Discovery Call","body":"…","direction":"outbound",'
        '"status":"completed","outcome":{"id":"f240bbac-87c9-4f6e-bf70-924b57d47db7",'
        '"label":"Connected"},"duration_ms":1800000,"started_at":"2024-01-15T10:30:00.000Z",'
        '"from_number":null,"to_number":null,"recording_url":null,"has_voicemail":null,'
        '"source":null,"owner_id":null,"created_at":"2024-01-15T10:30:00.000Z",'
        '"updated_at":"2024-01-15T11:00:00.123Z","archived":false,"archived_at":null,"url":null,'
        '"associations":{"contacts":["101"]},"properties":'
        + msgspec.json.encode(properties).decode()
        + "}"
    )


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("hs_call_title", "title"),
        ("hs_call_body", "body"),
        ("hs_call_from_number", "from_number"),
        ("hs_call_to_number", "to_number"),
        ("hs_call_recording_url", "recording_url"),
        ("hs_call_source", "source"),
        ("hubspot_owner_id", "owner_id"),
    ],
)
def test_text(name: str, field: str) -> None:
    """A text is taken as it is; an empty or null one is None."""
    assert getattr(of(name, " As Sent "), field) == " As Sent "
    assert getattr(of(name, ""), field) is None
    assert getattr(of(name, None), field) is None


@pytest.mark.parametrize(
    ("name", "field"), [("hs_call_direction", "direction"), ("hs_call_status", "status")]
)
def test_enumeration(name: str, field: str) -> None:
    """An enumeration is open and lower-cased; what HubSpot sent stays in `properties`."""
    call = of(name, "Some_NEW_value")
    assert getattr(call, field) == "some_new_value"
    assert call.properties == {name: "Some_NEW_value"}
    assert getattr(of(name, ""), field) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0),
        ("1800000", 1_800_000),
        ("1800000.0", 1_800_000),
        ("12.999", 12),
        (str(LONGEST_DURATION_MS), LONGEST_DURATION_MS),
        (str(LONGEST_DURATION_MS + 1), None),
        ("9" * 5_000, None),
        ("-1", None),
        ("1e3", None),
        (" 5", None),
        ("5.", None),
        (".5", None),
        ("\u0665", None),
        ("nan", None),
        ("half an hour", None),
        ("", None),
        (None, None),
    ],
)
def test_duration(value: str | None, expected: int | None) -> None:
    """A duration is whole ms; what is no such number is None beside its raw value."""
    call = of("hs_call_duration", value)
    assert call.duration_ms == expected
    assert call.properties == {"hs_call_duration": value}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z"),
        ("2024-01-15T12:30:00.5+02:00", "2024-01-15T10:30:00.500Z"),
        ("1705314600123", "2024-01-15T10:30:00.123Z"),
        ("0", "1970-01-01T00:00:00.000Z"),
        ("-1", "1969-12-31T23:59:59.999Z"),
        ("2024-01-15T10:30:00", None),
        ("2024-01-15", None),
        ("9" * 15, None),
        ("9" * 5_000, None),
        ("-", None),
        ("\u0661", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_started_at(value: str | None, expected: str | None) -> None:
    """The start is read from RFC 3339 and from epoch ms."""
    assert of("hs_timestamp", value).started_at == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("false", False),
        ("TRUE", True),
        ("yes", None),
        ("", None),
        (None, None),
    ],
)
def test_voicemail(value: str | None, expected: bool | None) -> None:  # noqa: FBT001 - the value
    """Whether there is a voicemail is true, false, or None where it does not apply."""
    assert of("hs_call_has_voicemail", value).has_voicemail is expected


def test_outcome_labels() -> None:
    """An outcome has the account's label, else the default one, else none."""
    record = hubspot_call({"hs_call_disposition": CONNECTED})
    assert normalise(record, {}, {}).outcome == events.Outcome(CONNECTED, "Connected")
    assert normalise(record, {}, {CONNECTED: "Reached"}).outcome == events.Outcome(
        CONNECTED, "Reached"
    )
    assert of("hs_call_disposition", "connected").outcome == events.Outcome("connected", None)
    assert of("hs_call_disposition", "").outcome is None
    upper = of("hs_call_disposition", CONNECTED.upper()).outcome
    assert upper == events.Outcome(CONNECTED.upper(), "Connected")


def test_default_outcomes() -> None:
    """The six outcomes that every account starts with are known."""
    assert sorted(DEFAULT_DISPOSITIONS.values()) == [
        "Busy",
        "Connected",
        "Left live message",
        "Left voicemail",
        "No answer",
        "Wrong number",
    ]


def test_archived() -> None:
    """`archived_at` is told of archived calls only, though HubSpot may leave it on a live one."""
    moment = datetime(2025, 3, 15, 14, 30, tzinfo=UTC)
    live = normalise(hubspot_call({}, archived_at=moment), {}, {})
    assert (live.archived, live.archived_at) == (False, None)
    gone = normalise(hubspot_call({}, archived=True, archived_at=moment), {}, {})
    assert (gone.archived, gone.archived_at) == (True, "2025-03-15T14:30:00.000Z")
    assert normalise(hubspot_call({}, archived=True), {}, {}).archived_at is None


def test_offsets() -> None:
    """Times are told in UTC whatever offset HubSpot used."""
    moment = datetime(2024, 1, 15, 12, tzinfo=timezone(timedelta(hours=2)))
    assert normalise(hubspot_call({}, created_at=moment), {}, {}).created_at == (
        "2024-01-15T10:00:00.000Z"
    )


def test_url() -> None:
    """The page in HubSpot is given where HubSpot gives it."""
    address = "https://app.hubspot.com/contacts/62515/record/0-48/512"
    assert normalise(hubspot_call({}, url=address), {}, {}).url == address
    assert normalise(hubspot_call({}), {}, {}).url is None


def test_associations() -> None:
    """Associated ids are sorted by number and unique; a type without any is absent."""
    call = normalise(
        hubspot_call({}), {"deals": ["20", "3", "20"], "contacts": ("7",), "tickets": []}, {}
    )
    assert call.associations == {"contacts": ("7",), "deals": ("3", "20")}
    assert list(call.associations) == ["contacts", "deals"]


def test_wanted() -> None:
    """Only wanted properties count, null ones among them; those that did not come are absent."""
    record = hubspot_call({"hs_call_title": "T", "hs_call_body": "B", "custom": None})
    call = normalise(record, {}, {}, wanted=("custom", "hs_call_title", "hs_timestamp"))
    assert call.properties == {"custom": None, "hs_call_title": "T"}
    assert (call.title, call.body) == ("T", None)


@given(
    documents.calls.map(documents.encode).map(schema.decode_call),
    st.dictionaries(st.sampled_from(DERIVED), st.none() | st.text() | st.from_regex(r"-?[0-9.]+")),
    st.dictionaries(st.text(), st.lists(documents.ids)),
    st.dictionaries(st.text(), st.text()),
)
def test_total(
    record: schema.Call,
    properties: dict[str, str | None],
    associations: dict[str, list[str]],
    dispositions: dict[str, str],
) -> None:
    """Whatever a decoded call holds, it becomes a call that is written and read back unchanged."""
    full = msgspec.structs.replace(record, properties={**record.properties, **properties})
    call = normalise(full, associations, dispositions)
    assert call.properties == full.properties
    assert msgspec.json.decode(msgspec.json.encode(call), type=events.Call) == call


@pytest.mark.parametrize("title", ["", "x", "ab", "Discovery Call"])
def test_one_wanted_property_is_taken_whole(title: str) -> None:
    """A list of one property takes that property's value, however long it is."""
    record = hubspot_call({"hs_call_title": title, "hs_call_body": "notes"})
    assert normalise(record, {}, {}, ("hs_call_title",)).properties == {"hs_call_title": title}
    assert normalise(record, {}, {}, ()).properties == {}
