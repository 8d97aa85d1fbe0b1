"""What an event says about why and when."""

from datetime import UTC, datetime

import msgspec
import pytest
from callstream_client import events
from hypothesis import given
from hypothesis import strategies as st

from jobs.events.normalise import normalise
from jobs.events.payload import MAX_CHANGES, call_event_data, event_time, first_origin
from jobs.hubspot import schema
from jobs.ledger.hints import Bucket, Hint

NOW_MS = 1_705_399_200_000
RECORD = schema.Call(
    id="512",
    properties={},
    created_at=datetime(2024, 1, 15, 10, tzinfo=UTC),
    updated_at=datetime(2024, 1, 15, 11, tzinfo=UTC),
    archived=False,
)
LATEST_MS = 1_705_316_400_000
"""2024-01-15T11:00:00.000Z."""


def data(*hints: Hint, dropped_until: int = 0, origin: str = "webhook") -> events.CallEventData:
    """Return the payload of a call without a record."""
    return call_event_data(
        portal_id=62515,
        call_id="512",
        call=None,
        said=Bucket(hints, dropped_until),
        origin=origin,
    )


def test_contract_example() -> None:
    """A property change is told as in the contract's example, a deletion with `call` null."""
    hint = Hint("propertyChange", LATEST_MS, property="hs_call_title", source="CRM_UI")
    assert events.encode_data(data(hint)).decode() == (
        '{"portal_id":62515,"call_id":"512","origin":"webhook","merged_into":null,'
        '"changes_truncated":false,"changes":[{"kind":"propertyChange",'
        '"property":"hs_call_title","occurred_at":"2024-01-15T11:00:00.000Z",'
        '"source":"CRM_UI"}],"call":null}'
    )


def test_changes() -> None:
    """Changes are told oldest first, each once; a mark without a kind is none."""
    payload = data(
        Hint("propertyChange", 2_000, property="b"),
        Hint("propertyChange", 2_000, property="a"),
        Hint("", 9_000, origin="reconciliation"),
        Hint("propertyChange", 2_000, property="a", tested_at=5),
        Hint("creation", 1_000),
        Hint("restore", 0),
    )
    assert [(one.kind, one.property, one.occurred_at) for one in payload.changes] == [
        ("restore", None, None),
        ("creation", None, "1970-01-01T00:00:01.000Z"),
        ("propertyChange", "a", "1970-01-01T00:00:02.000Z"),
        ("propertyChange", "b", "1970-01-01T00:00:02.000Z"),
    ]
    assert not payload.changes_truncated


def test_bounded() -> None:
    """Of too many changes the latest are told, and that there were more."""
    hints = [Hint("propertyChange", ms) for ms in range(1, MAX_CHANGES + 2)]
    payload = data(*hints)
    assert (len(payload.changes), payload.changes_truncated) == (MAX_CHANGES, True)
    assert payload.changes[0].occurred_at == "1970-01-01T00:00:00.002Z"
    assert not data(*hints[1:]).changes_truncated


def test_dropped() -> None:
    """Hints that the ledger had no room for count as truncated changes."""
    assert data(dropped_until=5).changes_truncated


def test_origin() -> None:
    """Of several origins the first in the contract's order is told; without a hint the reader's."""
    backfill, journal = Hint(origin="backfill"), Hint("creation", 1, origin="journal")
    assert data(backfill, journal, origin="replay").origin == "journal"
    assert data(origin="backfill").origin == "backfill"
    assert first_origin(["later", "replay"]) == "replay"
    assert first_origin(["webhook", "journal"]) == "webhook"


def test_merged() -> None:
    """A merged call names the call it was merged into."""
    payload = call_event_data(portal_id=1, call_id="5", call=None, said=Bucket(), merged_into="6")
    assert (payload.call_id, payload.merged_into, payload.call) == ("5", "6", None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Bucket((Hint("creation", LATEST_MS), Hint("x", 5))), "2024-01-15T11:00:00.000Z"),
        (Bucket((Hint("creation", 5),), LATEST_MS), "2024-01-15T11:00:00.000Z"),
        (Bucket((Hint("creation", 2**63 - 1),)), "2024-01-16T10:00:00.000Z"),
        (Bucket((Hint("creation", 0),)), "2024-01-16T10:00:00.000Z"),
        (Bucket(), "2024-01-16T10:00:00.000Z"),
    ],
)
def test_time_of_what_was_said(said: Bucket, expected: str) -> None:
    """The time is the latest that a notification told; a time without a date counts as none."""
    assert event_time(None, said, NOW_MS) == expected


def test_time_of_the_record() -> None:
    """Without notifications the time is when the call was archived, else when it was updated."""
    moment = datetime(2024, 1, 15, 12, tzinfo=UTC)

    def time_of(*, archived: bool, archived_at: datetime | None) -> str:
        record = msgspec.structs.replace(RECORD, archived=archived, archived_at=archived_at)
        return event_time(normalise(record, {}, {}), Bucket(), NOW_MS)

    assert time_of(archived=True, archived_at=moment) == "2024-01-15T12:00:00.000Z"
    assert time_of(archived=True, archived_at=None) == "2024-01-15T11:00:00.000Z"
    assert time_of(archived=False, archived_at=moment) == "2024-01-15T11:00:00.000Z"


hints = st.builds(
    Hint,
    kind=st.text(),
    occurred_at=st.integers(-(2**63), 2**63 - 1),
    property=st.none() | st.text(),
    source=st.none() | st.text(),
    origin=st.sampled_from(events.ORIGINS) | st.text(),
)


@given(st.lists(hints), st.integers(-1, 2**63 - 1))
def test_total(given: list[Hint], dropped_until: int) -> None:
    """Whatever was said, the payload is written and read back unchanged."""
    payload = data(*given, dropped_until=dropped_until)
    raw = events.encode_data(payload)
    assert msgspec.json.decode(raw, type=events.CallEventData) == payload
    assert event_time(None, Bucket(tuple(given), dropped_until), NOW_MS).endswith("Z")
