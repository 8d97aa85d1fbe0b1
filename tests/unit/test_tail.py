"""What `callstream tail` shows, of which events, from when on."""

import json

import pytest
from callstream_client import Delivery, events, wire

from service.cli.tailing import Wanted, json_of, line, start_of, types_of
from tests.support.streams import entry

NOW_MS = 1_705_316_400_000


def delivery(call_id: str = "512", version: int = 1, **fields: bytes | str) -> Delivery:
    """Return an event about a call, with some fields of its own."""
    members = {**entry(call_id, version), **fields}.items()
    raw = {name.encode(): v if isinstance(v, bytes) else v.encode() for name, v in members}
    return wire.delivery("calls:{0}", f"{NOW_MS}-0", raw)


def notice(portal_id: int | None = None) -> Delivery:
    """Return a notice about trimmed entries."""
    data = events.NoticeData(
        portal_id=portal_id, partition=3, first_id="1-0", last_id="9-0", groups=("crm", "bi")
    )
    return delivery(
        type=events.TRIMMED, dataschema=events.NOTICE_SCHEMA, data=events.encode_data(data)
    )


UNKNOWN = delivery(dataschema="urn:later", data=b"\xff")


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, "$"),
        ("0", "0-0"),
        ("90s", f"{NOW_MS - 90_001}-18446744073709551615"),
        ("15m", f"{NOW_MS - 900_001}-18446744073709551615"),
        ("2h", f"{NOW_MS - 7_200_001}-18446744073709551615"),
        ("999999999d", "0-0"),
        ("2024-01-15T11:00:00Z", f"{NOW_MS - 1}-18446744073709551615"),
        ("2024-01-15T12:00:00+01:00", f"{NOW_MS - 1}-18446744073709551615"),
        (str(NOW_MS), f"{NOW_MS - 1}-18446744073709551615"),
    ],
)
def test_start(since: str | None, expected: str) -> None:
    """Events are shown from an age, a time or an epoch ms on, else from now on."""
    assert start_of(since, NOW_MS) == expected


@pytest.mark.parametrize("since", ["", "yesterday", "15", "5 m", "2024-01-15T11:00:00", "-5m"])
def test_wrong_start(since: str) -> None:
    """What is neither is refused, where it is not an epoch ms."""
    if since == "15":
        assert start_of(since, NOW_MS).startswith("14-")
    else:
        with pytest.raises(ValueError, match="neither an age"):
            start_of(since, NOW_MS)


def test_types() -> None:
    """A type is named in full or by its last word."""
    assert types_of(["created", "callstream.stream.trimmed"]) == {
        "callstream.call.created",
        "callstream.stream.trimmed",
    }


def test_wanted() -> None:
    """Each filter leaves out what it does not name; without filters everything is shown."""
    call = delivery()
    assert all(Wanted().holds(one) for one in (call, notice(), UNKNOWN))
    for filtering, holds in (
        (Wanted(portal_id=62515), [True, False, True, False]),
        (Wanted(call_id="512"), [True, False, False, False]),
        (Wanted(call_id="513"), [False, False, False, False]),
        (Wanted(types=frozenset({events.UPDATED})), [True, False, False, False]),
        (Wanted(types=frozenset({events.TRIMMED})), [False, True, True, False]),
    ):
        shown = [filtering.holds(one) for one in (call, notice(), notice(62515), UNKNOWN)]
        assert shown == holds


def test_line() -> None:
    """A line tells when, what, which call, its title, how it went and what changed."""
    change = events.Change("propertyChange", "hs_call_title", "2024-01-15T10:59:59.500Z")
    data = events.CallEventData(
        portal_id=62515,
        call_id="512",
        origin="webhook",
        merged_into="600",
        changes=(change,),
        call=events.Call(
            id="512",
            title="Discovery",
            body="secret",
            to_number="+1 555",
            direction="outbound",
            status="completed",
            duration_ms=90_000,
            created_at="",
            updated_at="",
            archived=False,
        ),
    )
    shown = line(delivery(data=events.encode_data(data), time="2024-01-15T10:59:59.500Z")).plain
    assert shown.endswith(
        "00:00.000  updated   62515:512  Discovery  outbound completed 1:30  merged into 600"
        "  [hs_call_title]  500 ms after the change"
    )
    assert "secret" not in shown
    assert "555" not in shown


def test_line_of_a_purged_call() -> None:
    """A call of which nothing is left is told by its id."""
    data = events.CallEventData(portal_id=62515, call_id="512", origin="webhook")
    shown = line(delivery(data=events.encode_data(data), type=events.DELETED)).plain
    assert shown.endswith("  deleted   62515:512")


def test_line_of_a_notice() -> None:
    """A notice tells what was trimmed and who had not read it."""
    shown = line(notice(62515)).plain
    assert shown.endswith(
        "stream.trimmed  account 62515  partition 3  1-0 to 9-0  unread by crm, bi"
    )


def test_line_of_an_unknown_event() -> None:
    """An event of a later release is told as such."""
    assert line(UNKNOWN).plain.endswith("not understood: unknown dataschema")


def test_title_cannot_steer_the_terminal() -> None:
    """Control characters of a title are replaced."""
    data = events.CallEventData(
        portal_id=1,
        call_id="5",
        origin="webhook",
        call=events.Call(
            id="5", title="a\x1b]0;b\x07\n", created_at="", updated_at="", archived=False
        ),
    )
    shown = line(delivery(data=events.encode_data(data))).plain
    assert "a\ufffd]0;b\ufffd\ufffd" in shown
    assert shown.replace(" ", "").isprintable()


def test_json() -> None:
    """JSON is one line: the attributes, the payload as an object, the place on the stream."""
    one = delivery(
        later="ext", data=b'{"portal_id": 1,\n "call_id": "5", "big": 12345678901234567890123}'
    )
    text = json_of(one)
    assert "\n" not in text
    shown = json.loads(text)
    assert shown["data"] == {"portal_id": 1, "call_id": "5", "big": 12345678901234567890123}
    assert (shown["stream"], shown["entryid"]) == ("calls:{0}", f"{NOW_MS}-0")
    assert (shown["type"], shown["later"]) == (events.UPDATED, "ext")


@pytest.mark.parametrize("data", [b"\xff", b"{", b""])
def test_json_of_what_is_no_json(data: bytes) -> None:
    """A payload that is no JSON is shown as text."""
    shown = json.loads(json_of(delivery(dataschema="urn:later", data=data)))
    assert shown["data"] == data.decode(errors="replace")
