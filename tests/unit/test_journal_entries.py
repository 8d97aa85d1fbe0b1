"""The journal's files as marks: what every kind of entry says, and what becomes of bad ones."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.journal.api import Subscribed
from jobs.journal.entries import MALFORMED, Contents, decode
from jobs.journal.entry import Move
from jobs.journal.files import BadFileError
from jobs.journal.subscriptions import Wishes, plan, wanted_of
from jobs.ledger.hints import Hint

WHEN, MOMENT = 1_768_471_200_000, "2026-01-15T10:00:00.000Z"
PORTAL = 62515


def entry(action: str, **more: object) -> dict[str, object]:
    """Return an entry about call 512."""
    return {
        "type": "OBJECT",
        "portalId": PORTAL,
        "occurredAt": MOMENT,
        "action": action,
        "objectTypeId": "0-48",
        "objectId": 512,
        **more,
    }


def file_of(*entries: object) -> bytes:
    """Return a file with the entries."""
    return json.dumps({"offset": "x", "journalEvents": entries, "publishedAt": MOMENT}).encode()


def read(*entries: object) -> Contents:
    """Return what a file with the entries says."""
    return decode(file_of(*entries))


def hints(*entries: object) -> tuple[Hint, ...]:
    """Return what the entries say about the one call that they name."""
    (mark,) = read(*entries).marks
    assert (mark.portal_id, mark.call_id) == (PORTAL, "512")
    return mark.hints


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("CREATE", "creation"),
        ("DELETE", "deletion"),
        ("RESTORE", "restore"),
        ("GDPR_DELETE", "privacyDeletion"),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_actions_are_kinds(action: str, kind: str) -> None:
    """Every action becomes the hint of its kind, one that HubSpot invents later by its own name."""
    assert hints(entry(action)) == (Hint(kind, WHEN, origin="journal"),)


def test_an_update_names_its_properties() -> None:
    """An update is one hint for each property that changed; in an unknown form, one without."""
    changes = {"hs_call_title": "Ho", "hs_call_body": None}
    told = hints(entry("UPDATE", propertyChanges=changes))
    assert [hint.property for hint in told] == ["hs_call_title", "hs_call_body"]
    assert hints(entry("UPDATE", propertyChanges=7)) == (
        Hint("propertyChange", WHEN, origin="journal"),
    )


def test_a_merge_marks_everyone() -> None:
    """All calls of a merge are marked, those that went away with the survivor as their target."""
    marks = read(entry("MERGE", mergedObjectIds=[513, "514"])).marks
    targets = {mark.call_id: mark.hints[0].target for mark in marks}
    assert targets == {"512": None, "513": "512", "514": "512"}


@pytest.mark.parametrize("action", ["ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"])
def test_an_association_names_the_other_side(action: str) -> None:
    """An association marks the side that is a call, whichever it is, with the other as target."""
    sides = {"fromObjectId": 101, "fromObjectTypeId": "0-1"}
    sides |= {"toObjectId": 512, "toObjectTypeId": "0-48"}
    said = {"portalId": PORTAL, "occurredAt": WHEN, "action": action, "type": "ASSOCIATION"}
    removed = action == "ASSOCIATION_REMOVED"
    expected = Hint("associationChange", WHEN, target="0-1:101", removed=removed, origin="journal")
    assert hints(said | sides) == (expected,)


def test_comings_and_goings_are_told() -> None:
    """Entries of an app's life cycle become moves of their accounts."""
    told = {"type": "APP_LIFECYCLE_EVENT", "portalId": PORTAL, "occurredAt": MOMENT}
    contents = read(told | {"eventTypeId": "4-1916193"}, told | {"action": "APP_INSTALL"})
    assert contents.moves == (Move(PORTAL, installed=False), Move(PORTAL, installed=True))


def test_other_objects_need_no_work() -> None:
    """Entries about other object types are counted, and that is all."""
    assert read(entry("CREATE", objectTypeId="0-1")) == Contents(others=1, published_at=WHEN)


@pytest.mark.parametrize(
    "bad",
    [
        entry("CREATE", objectId=None),
        entry("CREATE", objectId=-3),
        entry("CREATE", occurredAt="some day"),
        entry("CREATE", portalId=0),
        {"action": "CREATE"},
        "nothing",
        7,
    ],
)
def test_a_bad_entry_is_set_aside(bad: object) -> None:
    """An entry that cannot be used becomes a dead letter with its bytes; the others go on."""
    contents = read(entry("CREATE"), bad)
    (letter,) = contents.dead_letters
    assert (letter.reason, letter.origin) == (MALFORMED, "journal")
    assert json.loads(letter.raw) == bad
    assert [mark.call_id for mark in contents.marks] == ["512"]


def test_half_an_emoji_spoils_nothing() -> None:
    """A value that ends in half a surrogate pair does not keep its entry from being read."""
    raw = file_of(entry("UPDATE", propertyChanges={"hs_call_title": "\ud83d"}))
    (mark,) = decode(raw).marks
    assert [hint.property for hint in mark.hints] == ["hs_call_title"]


@pytest.mark.parametrize(
    ("told", "published_at"),
    [(MOMENT, WHEN), (WHEN, WHEN), ("soon", 0), (-5, 0), (None, 0), (True, 0), ({}, 0)],
)
def test_a_file_says_when_it_was_published(told: object, published_at: int) -> None:
    """A file's time is read as text or as a number; a file without one is read all the same."""
    raw = json.dumps({"journalEvents": [entry("CREATE")], "publishedAt": told}).encode()
    contents = decode(raw)
    assert contents.published_at == published_at
    assert len(contents.marks) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_contents_or_a_bad_file(raw: bytes) -> None:
    """Whatever a file holds is read, or is a bad file as a whole; nothing else is raised."""
    with contextlib.suppress(BadFileError):
        assert isinstance(decode(raw), Contents)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_fields = st.sampled_from([*entry("CREATE"), "mergedObjectIds", "toObjectTypeId", "eventTypeId"])


@given(st.lists(st.dictionaries(_fields, _json | st.sampled_from(["0-48", "MERGE", 5]))))
def test_no_entry_is_lost(entries: list[dict[str, object]]) -> None:
    """Every entry is a mark's hint, a move, a dead letter, or about something else."""
    contents = read(*entries)
    kept = bool(contents.marks) + len(contents.moves) + len(contents.dead_letters)
    assert (not entries) == (not kept + contents.others)
    assert len(contents.moves) + len(contents.dead_letters) + contents.others <= len(entries)


def test_what_is_wanted_is_made_and_what_is_stale_goes() -> None:
    """Missing subscriptions are made, stale ones of ours removed, those of others left alone."""
    title, body = (list(wanted_of(1, [name], ["0-1"])) for name in ("title", "body"))
    other = list(wanted_of(2, ["title"], []))
    ours = {number: wish.text for number, wish in enumerate([*title, *other])}
    listed = [Subscribed(number) for number in [*ours, 99]]
    todo = plan(Wishes(tuple(body)), listed, ours)
    assert todo.make == (body[0],)
    assert todo.remove == (0, 3, 4)
    assert plan(Wishes(tuple(title), unsure=frozenset({2})), listed, ours).remove == ()


def test_a_subscription_that_was_narrowed_is_made_again() -> None:
    """Somebody else's change to what we made is undone; one that is gone is made anew."""
    wish, *_ = wanted_of(1, ["title", "body"], [])
    ours = {5: wish.text}
    assert plan(Wishes((wish,)), [Subscribed(5, wish.actions, ["title"])], ours).make == (wish,)
    assert plan(Wishes((wish,)), [Subscribed(5, ["CREATE"])], ours).make == (wish,)
    assert plan(Wishes((wish,)), [Subscribed(5, wish.actions, wish.properties)], ours).make == ()
    gone = plan(Wishes((wish,)), [], ours)
    assert ((wish,), (5,)) == (gone.make, gone.forget)
