"""Every notification about a call becomes a mark, and nothing keeps the good ones from theirs."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ledger.deadletters import RAW_BYTES, DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Mark
from service.front_door.json_elements import (
    MOST_NOTIFICATIONS,
    OvercrowdedBodyError,
    UnreadableBodyError,
)
from service.front_door.notifications import Batch, decode

Json = dict[str, Any]  # what a test sends is deliberately anything

BASE: Json = {
    "eventId": 2326225553,
    "subscriptionId": 3849713,
    "portalId": 145883449,
    "appId": 14947547,
    "occurredAt": 1751276050977,
    "attemptNumber": 0,
    "changeSource": "CRM_UI",
    "sourceId": "userId:75514748",
}
PORTAL = 145883449
AT = 1751276050977
CALL = 180584432881


def notification(kind: str, /, **more: object) -> Json:
    """Return a notification about a call; a field given as None is left out."""
    whole = {
        **BASE,
        "subscriptionType": f"object.{kind}",
        "objectId": CALL,
        "objectTypeId": "0-48",
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


def association(**more: object) -> Json:
    """Return an associationChange of call and contact."""
    whole = {
        "fromObjectId": CALL,
        "fromObjectTypeId": "0-48",
        "toObjectId": 20,
        "toObjectTypeId": "0-1",
        "associationTypeId": 194,
        "associationCategory": "HUBSPOT_DEFINED",
        "associationRemoved": False,
        "isPrimaryAssociation": False,
        **more,
    }
    return notification("associationChange", **{"objectId": None, "objectTypeId": None, **whole})


def body(*notifications: object) -> bytes:
    """Return the body of a delivery."""
    return json.dumps(list(notifications)).encode()


def hint(kind: str, target: str | None = None, *, removed: bool = False) -> Hint:
    """Return the hint of one of the notifications above."""
    return Hint(kind, AT, source="CRM_UI", target=target, removed=removed)


def marked(batch: Batch) -> dict[str, tuple[Hint, ...]]:
    """Return the hints by call, all of them of the one portal."""
    assert {mark.portal_id for mark in batch.marks} <= {PORTAL}
    assert len({mark.call_id for mark in batch.marks}) == len(batch.marks)
    return {mark.call_id: mark.hints for mark in batch.marks}


def test_captured() -> None:
    """A creation and a change of the same call, as HubSpot sends them, are one mark."""
    change = {"propertyName": "hs_call_title", "propertyValue": "Pitch", "isSensitive": False}

    batch = decode(
        body(
            notification("propertyChange", **change),
            notification("creation", changeFlag="CREATED"),
        )
    )

    assert batch == Batch(
        marks=(
            Mark(
                PORTAL,
                str(CALL),
                (
                    Hint("propertyChange", AT, property="hs_call_title", source="CRM_UI"),
                    hint("creation"),
                ),
            ),
        ),
        calls=2,
    )


@pytest.mark.parametrize(
    "kind", ["creation", "deletion", "restore", "privacyDeletion", "somethingNew", "a.b.newer"]
)
def test_kinds(kind: str) -> None:
    """The kind is the last word of the subscription's type, also one that nobody knows yet."""
    assert marked(decode(body(notification(kind)))) == {str(CALL): (hint(kind.rpartition(".")[2]),)}


def test_event_type() -> None:
    """`eventType` stands for `subscriptionType`, which wins where both are there."""
    old = notification("creation", subscriptionType=None, eventType="object.creation")
    both = notification("creation", eventType="object.deletion")

    assert marked(decode(body(old))) == {str(CALL): (hint("creation"),)}
    assert marked(decode(body(both))) == {str(CALL): (hint("creation"),)}


def test_without_a_kind() -> None:
    """A notification about a call that does not say what happened marks the call all the same."""
    assert marked(decode(body(notification("", subscriptionType=None)))) == {str(CALL): (hint(""),)}


def test_single_object() -> None:
    """An object without an array around it is one notification."""
    single = json.dumps(notification("creation"), indent=1).encode()

    assert decode(b" \r\n\t" + single + b"\n") == decode(body(notification("creation")))


def test_empty_array() -> None:
    """An array of nothing says nothing."""
    assert decode(b"[]") == Batch()


@pytest.mark.parametrize(
    ("given_id", "call_id"),
    [(2**63 - 1, str(2**63 - 1)), ("512", "512"), ("0512", "512"), (1, "1")],
)
def test_ids(given_id: int | str, call_id: str) -> None:
    """Ids are positive 64-bit numbers, also where they come as text."""
    sent = notification("creation", objectId=given_id, portalId=str(PORTAL), occurredAt=str(AT))

    assert marked(decode(body(sent))) == {call_id: (hint("creation"),)}


@pytest.mark.parametrize(
    "broken",
    [
        {"objectId": None},
        {"objectId": 0},
        {"objectId": -5},
        {"objectId": 2**63},
        {"objectId": 1.5},
        {"objectId": True},
        {"objectId": "12a"},
        {"objectId": ""},
        {"objectId": "\u0661\u0662"},
        {"objectId": "9" * 5000},
        {"objectId": [1]},
        {"portalId": None},
        {"portalId": -1},
        {"occurredAt": -1},
        {"occurredAt": 253_402_300_800_000},
        {"occurredAt": "yesterday"},
        {"occurredAt": 1.5},
        {"subscriptionType": 7},
        {"propertyName": {"name": "x"}},
        {"subscriptionType": "object.merge", "objectId": None},
        {"subscriptionType": "object.associationChange", "objectId": None},
    ],
    ids=str,
)
def test_malformed_in_a_good_batch(broken: Json) -> None:
    """What cannot be used is set aside with its bytes; its neighbours are marked."""
    bad = notification("creation", objectId=666) | broken
    bad = {name: value for name, value in bad.items() if value is not None}

    batch = decode(body(notification("creation"), bad, notification("deletion")))

    assert marked(batch) == {str(CALL): (hint("creation"), hint("deletion"))}
    assert batch.calls == 2
    (letter,) = batch.dead_letters
    assert json.loads(letter.raw) == bad
    assert letter.reason == "malformed-notification"
    assert letter.error
    assert letter.portal_id == (None if "portalId" in broken else PORTAL)
    assert letter.call_id == (None if "objectId" in broken else "666")


@pytest.mark.parametrize("element", [1, None, "text", True, [], [1], {}, {"foo": 1}])
def test_no_notification_at_all(element: object) -> None:
    """An element that is no notification is set aside."""
    batch = decode(body(element, notification("creation")))

    assert marked(batch) == {str(CALL): (hint("creation"),)}
    assert [json.loads(letter.raw) for letter in batch.dead_letters] == [element]


@pytest.mark.parametrize(
    "other",
    [
        notification("creation", objectTypeId="0-1"),
        notification("creation", objectTypeId="2-143967026", objectId="not an id"),
        notification("", subscriptionType="contact.creation", objectTypeId=None),
        notification("", subscriptionType="contact.merge", objectTypeId=None, objectId=[1.5]),
        notification("", subscriptionType="conversation.newMessage", objectTypeId=None),
        association(fromObjectTypeId="0-2"),
    ],
)
def test_other_object_types(other: Json) -> None:
    """What is about other objects is counted and needs no work, in whatever form it comes."""
    assert decode(body(other, notification("creation"), other)) == Batch(
        marks=(Mark(PORTAL, str(CALL), (hint("creation"),)),), calls=1, others=2
    )


@pytest.mark.parametrize(
    ("named", "survivor", "gone"),
    [
        (
            {"objectId": 10, "primaryObjectId": 10, "mergedObjectIds": [11], "newObjectId": 10},
            "10",
            ["11"],
        ),
        (
            {"objectId": 10, "primaryObjectId": 10, "mergedObjectIds": [11, 12]},
            "10",
            ["11", "12"],
        ),
        (
            {"objectId": 10, "primaryObjectId": 10, "mergedObjectIds": ["11"], "newObjectId": 13},
            "13",
            ["10", "11"],
        ),
        ({"objectId": 10, "mergedObjectIds": 11}, "10", ["11"]),
        ({"objectId": None, "primaryObjectId": 10, "mergedObjectIds": [11, 11]}, "10", ["11"]),
        ({"objectId": 10}, "10", []),
    ],
)
def test_merge(named: Json, survivor: str, gone: list[str]) -> None:
    """A merge marks every call that it names; those that went away know which one is left."""
    batch = decode(body(notification("merge", **named)))

    assert marked(batch) == {
        survivor: (hint("merge"),),
        **{call_id: (hint("merge", survivor),) for call_id in gone},
    }
    assert batch.calls == 1


def test_association_of_a_call() -> None:
    """Whichever side is a call is marked, with the other side as target."""
    forth = association(associationRemoved=True)
    back = association(
        fromObjectId=20, fromObjectTypeId="0-1", toObjectId=CALL, toObjectTypeId="0-48"
    )

    assert marked(decode(body(forth, back))) == {
        str(CALL): (
            hint("associationChange", "0-1:20", removed=True),
            hint("associationChange", "0-1:20"),
        )
    }


def test_association_of_two_calls() -> None:
    """Between two calls both are marked, each with the other as target."""
    both = association(toObjectId=21, toObjectTypeId="0-48")

    assert marked(decode(body(both))) == {
        str(CALL): (hint("associationChange", "0-48:21"),),
        "21": (hint("associationChange", f"0-48:{CALL}"),),
    }


def test_association_that_names_its_object_too() -> None:
    """The object that is also a side is marked once; one without sides has no target."""
    twice = association(objectId=CALL, objectTypeId="0-48")
    alone = notification("associationChange")

    assert marked(decode(body(twice))) == {str(CALL): (hint("associationChange", "0-1:20"),)}
    assert marked(decode(body(alone))) == {str(CALL): (hint("associationChange"),)}


def test_sides_of_an_unknown_kind() -> None:
    """The sides of a kind that nobody knows yet are marked like those of an association."""
    labelled = association(subscriptionType="object.associationLabelled")

    assert marked(decode(body(labelled))) == {str(CALL): (hint("associationLabelled", "0-1:20"),)}


@pytest.mark.parametrize("absent", ["toObjectId", "toObjectTypeId"])
def test_association_with_half_a_side(absent: str) -> None:
    """A call whose other side is not told is marked without a target."""
    assert marked(decode(body(association(**{absent: None})))) == {
        str(CALL): (hint("associationChange"),)
    }


@pytest.mark.parametrize(
    "unreadable",
    [
        b"",
        b" ",
        b"nope",
        b"[",
        b'[{"portalId":1}',
        b'{"portalId":1} x',
        b"[NaN]",
        b'"text"',
        b"12",
        b"null",
        b"\xff",
        b"\xef\xbb\xbf[]",
        b'[{"a":"\\',
        b"\x1f\x8b\x08",
    ],
)
def test_unreadable(unreadable: bytes) -> None:
    """What is not JSON, or neither array nor object, is told to the sender."""
    with pytest.raises(UnreadableBodyError):
        decode(unreadable)


@pytest.mark.parametrize(
    ("field", "letters"), [("propertyName", 1), ("objectTypeId", 1), ("somethingElse", 0)]
)
def test_text_that_is_not_utf_8(field: str, letters: int) -> None:
    """A text in another encoding costs its own notification at most, and only where it matters."""
    spoilt = json.dumps(notification("creation", objectId=666, **{field: "?"}))
    good = json.dumps(notification("creation"))

    batch = decode(f"[{good},{spoilt}]".encode().replace(b"?", b"\xe4"))

    assert str(CALL) in marked(batch)
    assert [letter.error for letter in batch.dead_letters] == ["not UTF-8"] * letters


@pytest.mark.parametrize("element", [b"1", b"{}", b'{"objectTypeId":"0-1"}', b"[]"])
def test_crowd(element: bytes) -> None:
    """A body may hold 50,000 notifications, and not one more, whatever they are."""
    most = decode(b"[" + b",".join([element] * MOST_NOTIFICATIONS) + b"]")

    assert len(most.dead_letters) + most.others == MOST_NOTIFICATIONS
    with pytest.raises(OvercrowdedBodyError):
        decode(b"[" + b",".join([element] * (MOST_NOTIFICATIONS + 1)) + b"]")
    with pytest.raises(OvercrowdedBodyError):
        decode(b"[" + b"1," * 8_000_000 + b"1]")


def test_many_commas_are_no_crowd() -> None:
    """What was said on a call may hold as many commas as it likes."""
    told = notification("propertyChange", propertyValue="," * 100_000)

    assert marked(decode(body(told))) == {str(CALL): (hint("propertyChange"),)}


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\\ud83d\\ud83d", "\\ud83d\\n"])
def test_text_cut_in_the_middle_of_an_emoji(half: str) -> None:
    """A value that ends in half an escaped surrogate pair costs nobody's mark."""
    cut = json.dumps(notification("propertyChange", propertyValue="?"))

    batch = decode(b"[" + cut.replace("?", half).encode() + b"]")

    assert marked(batch) == {str(CALL): (hint("propertyChange"),)}


def test_mending_changes_nothing_else() -> None:
    """Beside the half pair, whole pairs and escaped backslashes are left as they are."""
    cut = r'{"portalId":1,"x":"\ud83d","objectTypeId":"0-48","objectId":"\\ud83d \ud83d\ude00"}'

    (letter,) = decode(f"[{cut}]".encode()).dead_letters

    assert letter.raw.decode() == cut.replace(r'"\ud83d"', r'"\ufffd"')


@pytest.mark.parametrize("depth", [900, 100_000])
def test_nested_without_end(depth: int) -> None:
    """A body that is nested too deeply to be read is set aside, not refused."""
    nested = notification("creation", deep="?")
    deep = b"[" + json.dumps(nested).replace('"?"', "[" * depth + "]" * depth).encode() + b"]"

    batch = decode(deep)

    assert len(batch.marks) + len(batch.dead_letters) == 1


def test_large_raw_is_cut() -> None:
    """A dead letter keeps at most so much of what it is about."""
    (letter,) = decode(body("x" * 2 * RAW_BYTES)).dead_letters

    assert len(letter.raw) == RAW_BYTES


def test_error_shows_no_values() -> None:
    """The error of a dead letter repeats nothing of the record."""
    (letter,) = decode(body(notification("creation", objectId="+4912345678"))).dead_letters

    assert "4912345678" not in letter.error


ids = st.integers(1, 2**63 - 1)
sent_ids = ids | ids.map(str)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(
    [
        "portalId",
        "subscriptionType",
        "eventType",
        "occurredAt",
        "objectId",
        "objectTypeId",
        "propertyName",
        "mergedObjectIds",
        "newObjectId",
        "fromObjectId",
        "fromObjectTypeId",
        "toObjectTypeId",
        "associationRemoved",
    ]
)
values = documents | st.sampled_from(["0-48", "0-1", "object.merge", "object.associationChange"])
odd_notifications = st.dictionaries(fields | st.text(), values)


@given(st.lists(odd_notifications | documents, max_size=5) | odd_notifications | documents)
def test_any_json(document: object) -> None:
    """Any JSON is decoded or set aside element by element; only a lone scalar is refused."""
    sent = json.dumps(document).encode()
    if not isinstance(document, list | dict):
        with pytest.raises(UnreadableBodyError):
            decode(sent)
        return

    batch = decode(sent)

    elements = document if isinstance(document, list) else [document]
    assert batch.calls + batch.others + len(batch.dead_letters) == len(elements)
    assert all(letter.raw for letter in batch.dead_letters)
    assert msgspec.json.encode(batch.marks)


@given(st.binary())
def test_any_bytes(noise: bytes) -> None:
    """Bytes that are no JSON are refused, and nothing else is raised."""
    try:
        batch = decode(noise)
    except UnreadableBodyError:
        return
    assert isinstance(json.loads(noise.decode(errors="replace")), list | dict)
    assert isinstance(batch, Batch)


@st.composite
def well_formed(draw: st.DrawFn) -> tuple[Json, set[tuple[int, str]]]:
    """A notification about calls, with the calls that it must mark."""
    kind = draw(
        st.sampled_from(
            ["creation", "deletion", "restore", "propertyChange", "merge", "associationChange"]
        )
        | st.text(st.characters(categories=["L"]), min_size=1)
    )
    portal = draw(ids)
    sent: Json = {
        "portalId": draw(st.sampled_from([portal, str(portal)])),
        "occurredAt": draw(st.integers(0, 2**42)),
        draw(st.sampled_from(["subscriptionType", "eventType"])): f"object.{kind}",
        "propertyValue": draw(st.text()),
        **draw(st.dictionaries(st.text().map(lambda name: f"x{name}"), documents, max_size=3)),
    }
    if kind == "associationChange":
        sides = [draw(ids), draw(ids)]
        types = draw(st.sampled_from([("0-48", "0-1"), ("0-2", "0-48"), ("0-48", "0-48")]))
        sent |= {"fromObjectId": sides[0], "toObjectId": str(sides[1])}
        sent |= {"fromObjectTypeId": types[0], "toObjectTypeId": types[1]}
        calls = {call for call, type_ in zip(sides, types, strict=True) if type_ == "0-48"}
    else:
        call = draw(ids)
        sent |= {"objectTypeId": "0-48", "objectId": draw(st.sampled_from([call, str(call)]))}
        calls = {call}
        if kind == "merge":
            merged = draw(st.lists(ids, max_size=4))
            sent |= {"mergedObjectIds": merged, "primaryObjectId": call}
            calls |= set(merged)
    return sent, {(portal, str(call)) for call in calls}


@given(st.lists(well_formed(), max_size=8), st.lists(documents, max_size=2), st.randoms())
def test_every_call_is_marked(
    said: list[tuple[Json, set[tuple[int, str]]]],
    noise: list[object],
    # Hypothesis' own random source, so that a failure can be repeated.
    random: Any,  # noqa: ANN401 - untyped in hypothesis
) -> None:
    """Every well-formed notification yields its marks, and no other, whatever stands beside it."""
    elements = [sent for sent, _ in said] + noise
    random.shuffle(elements)

    batch = decode(json.dumps(elements).encode())

    wanted = set[tuple[int, str]]().union(*(calls for _, calls in said))
    assert {(mark.portal_id, mark.call_id) for mark in batch.marks} == wanted
    assert batch.calls == len(said)


def test_dead_letter_is_what_the_ledger_takes() -> None:
    """A dead letter made here has the origin of a notification."""
    (letter,) = decode(b"[1]").dead_letters

    assert isinstance(letter, DeadLetter)
    assert letter.origin == "webhook"
