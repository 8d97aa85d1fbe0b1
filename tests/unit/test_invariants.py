"""The checker of the invariants sees each of them broken: on doctored events of a sound run."""

from collections.abc import Callable, Sequence

import pytest
from callstream_client import events
from msgspec.structs import replace

from tests.simulator.messages import TrueCall
from tests.simulator.meters import Counts
from tests.support.evidence import Evidence
from tests.support.invariants import assert_invariants, violations
from tests.support.outstanding import Outstanding

PROPERTIES = {"hs_call_title": "Ho", "hs_lastmodifieddate": "2024-01-15T11:00:00.000Z"}


def true_call(call_id: str, state: str = "live", merged_into: str | None = None) -> TrueCall:
    """Return a call as HubSpot has it: changed at 100, told at 110, read at 130."""
    return TrueCall(
        id=call_id,
        state=state,
        properties=PROPERTIES if state != "gone" else {},
        associations={"contacts": ["9", "101"]} if state in {"live", "archived"} else {},
        created_at="2024-01-15T10:00:00.000Z",
        updated_at="2024-01-15T11:00:00.000Z",
        merged_into=merged_into,
        changed_at=100,
        sent_at=110,
        acknowledged_at=120,
        read_at=130,
    )


def call(call_id: str, title: str = "Ho", *, archived: bool = False) -> events.Call:
    """Return the call as an event tells it; properties that are not read are no matter."""
    return events.Call(
        id=call_id,
        title=title,
        created_at="2024-01-15T10:00:00.000Z",
        updated_at="2024-01-15T11:00:00.000Z",
        archived=archived,
        associations={"contacts": ("9", "101")},
        properties={"hs_call_title": title, "hs_call_body": None, "hs_lastmodifieddate": "later"},
    )


def event(
    call_id: str,
    version: int,
    told: events.Call | None,
    kind: str = events.UPDATED,
    merged_into: str | None = None,
) -> events.CallEvent:
    """Return an event of a version."""
    return events.CallEvent(
        id=f"62515:{call_id}:{version}",
        source="/callstream/default/hubspot/portals/62515",
        type=kind,
        subject=call_id,
        time="2024-01-15T11:00:00.000Z",
        partition_key=f"62515:{call_id}",
        sequence=f"{version:020}",
        data=events.CallEventData(
            portal_id=62515, call_id=call_id, origin="webhook", merged_into=merged_into, call=told
        ),
    )


SOUND = Evidence(
    truth={
        one.id: one
        for one in (
            true_call("1"),
            true_call("2", "archived"),
            true_call("3", "gone"),
            true_call("4", "merged", "1"),
        )
    },
    events=(
        event("1", 10, call("1", "Hi"), events.CREATED),
        event("2", 10, call("2"), events.CREATED),
        event("1", 11, call("1")),
        event("2", 12, call("2", archived=True), events.DELETED),
        event("3", 12, None, events.DELETED),
        event("4", 13, None, events.DELETED, merged_into="1"),
    ),
    outstanding=Outstanding(),
    counts=Counts(peak_10s=90),
    rate_limit=100,
    properties=("hs_call_title", "hs_call_body", "hs_lastmodifieddate"),
    associations=("contacts",),
)


def with_call(call_id: str, **changes: object) -> Evidence:
    """Return the sound evidence with one call of the truth changed."""
    changed = replace(SOUND.truth[call_id], **changes)
    return replace(SOUND, truth={**SOUND.truth, call_id: changed})


def with_events(doctor: Callable[[list[events.CallEvent]], Sequence[events.CallEvent]]) -> Evidence:
    """Return the sound evidence with other events."""
    return replace(SOUND, events=doctor(list(SOUND.events)))


def test_sound_run_passes() -> None:
    """Nothing is wrong with a sound run, archived, gone and merged calls included."""
    assert_invariants(SOUND)


def test_gone_call_that_was_never_seen_needs_no_event() -> None:
    """A call that was created and purged before anybody looked has no event."""
    assert_invariants(with_events(lambda all_: [one for one in all_ if one.subject != "3"]))


def test_call_that_nobody_told_of_needs_no_event() -> None:
    """A call of which no notification was acknowledged is not judged."""
    unheard = true_call("5")
    unheard = replace(unheard, sent_at=None, acknowledged_at=None, read_at=None)
    assert_invariants(replace(SOUND, truth={**SOUND.truth, "5": unheard}))


def test_dead_letter_excuses_its_call() -> None:
    """A call that lies in the dead letters need not have been read, nor be true."""
    broken = with_call("1", read_at=None, properties={"hs_call_title": "Hu"})
    assert violations(broken)
    assert_invariants(replace(broken, dead=frozenset({"1"})))


BROKEN: dict[str, tuple[str, Evidence]] = {
    "never read": ("read_after_marks", with_call("1", read_at=None)),
    "read before it was told": ("read_after_marks", with_call("1", read_at=105)),
    "read before it changed": ("read_after_marks", with_call("1", changed_at=131)),
    "sequence goes back": (
        "sequences_increase",
        with_events(lambda all_: [*all_[:2], event("1", 9, call("1")), *all_[3:]]),
    ),
    "sequence stands still": (
        "sequences_increase",
        with_events(lambda all_: [*all_[:2], event("1", 10, call("1")), *all_[3:]]),
    ),
    "state repeated": (
        "nothing_repeats",
        with_events(lambda all_: [*all_, event("1", 14, call("1"))]),
    ),
    "departure repeated": (
        "nothing_repeats",
        with_events(lambda all_: [*all_, event("3", 14, None)]),
    ),
    "old state last": (
        "last_events_are_true",
        with_events(lambda all_: [*all_, event("1", 14, call("1", "Hi"))]),
    ),
    "no event": ("last_events_are_true", with_events(lambda all_: all_[3:])),
    "archived call told as live": (
        "last_events_are_true",
        with_events(lambda all_: [*all_[:3], *all_[4:]]),
    ),
    "purged call told as live": (
        "last_events_are_true",
        with_events(lambda all_: [*all_, event("3", 14, call("3"), events.RESTORED)]),
    ),
    "survivor unknown": (
        "last_events_are_true",
        with_events(lambda all_: [*all_[:-1], event("4", 13, None, events.DELETED)]),
    ),
    "departure under a wrong type": (
        "last_events_are_true",
        with_events(lambda all_: [*all_[:4], event("3", 12, None, events.RESTORED), all_[5]]),
    ),
    "association missing": (
        "last_events_are_true",
        with_call("1", associations={"contacts": ["9", "101", "102"]}),
    ),
    "property cleared": ("last_events_are_true", with_call("1", properties={})),
    "call that never was": (
        "last_events_are_true",
        with_events(lambda all_: [*all_, event("77", 14, call("77"))]),
    ),
    "call due": ("ledger_is_empty", replace(SOUND, outstanding=Outstanding(due=("1",)))),
    "call leased": ("ledger_is_empty", replace(SOUND, outstanding=Outstanding(leases=("1",)))),
    "bell on its way": ("ledger_is_empty", replace(SOUND, outstanding=Outstanding(bells=("1:2",)))),
    "hints left behind": ("ledger_is_empty", replace(SOUND, outstanding=Outstanding(hints=("1",)))),
    "asked too much": ("budget_was_kept", replace(SOUND, counts=Counts(peak_10s=101))),
    "refused": ("budget_was_kept", replace(SOUND, counts=Counts(peak_10s=90, refused=1))),
    "entry that is no event": ("events_are_readable", replace(SOUND, unreadable=["1-0: ?"])),
}


@pytest.mark.parametrize(("rule", "evidence"), BROKEN.values(), ids=BROKEN)
def test_each_way_to_break_an_invariant_is_seen(rule: str, evidence: Evidence) -> None:
    """The rule that is broken says so, and no other one does."""
    assert list(violations(evidence)) == [rule]


def test_failure_names_the_calls() -> None:
    """A failure tells the rule, how often it was broken, and the call."""
    with pytest.raises(AssertionError, match=r"read_after_marks: 1\n  call 1: .* never read"):
        assert_invariants(with_call("1", read_at=None))
