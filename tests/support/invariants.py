"""The six invariants, judged by HubSpot's truth and the streams, never by our own tables.

Only the fifth looks at the ledger, because it is about the ledger. Pure: each rule takes the
evidence and names what breaks it; `assert_invariants` fails with all of that.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import msgspec
from callstream_client.events import CallEvent

from tests.simulator.messages import TrueCall
from tests.support.evidence import Evidence

MOST_SHOWN = 8
"""Calls that a failure names for each rule."""

UNTRACKED = frozenset({"hs_lastmodifieddate"})
"""Properties that change with every write; alone they make no new state."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a call's state, of an event and of the truth alike."""

    kind: str
    """`live`, `archived`, `gone` or `merged`."""
    merged_into: str | None = None
    properties: tuple[tuple[str, str], ...] = ()
    associations: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        """Name the kind only; differences are told by `differences`."""
        return self.kind if self.merged_into is None else f"{self.kind} into {self.merged_into}"


def published(event: CallEvent, evidence: Evidence) -> State:
    """Return the state that an event tells."""
    data = event.data
    if data.call is None:
        kind = "gone" if data.merged_into is None else "merged"
        return State(kind=kind, merged_into=data.merged_into)
    return State(
        kind="archived" if data.call.archived else "live",
        merged_into=data.merged_into,
        properties=_properties(data.call.properties, evidence),
        associations=tuple((kind, tuple(ids)) for kind, ids in data.call.associations.items()),
    )


def true(call: TrueCall, evidence: Evidence) -> State:
    """Return the state that HubSpot has, as far as the deployment reads it."""
    if call.state not in {"live", "archived"}:
        return State(kind=call.state, merged_into=call.merged_into)
    return State(
        kind=call.state,
        properties=_properties(call.properties, evidence),
        associations=tuple(
            (kind, tuple(ids))
            for kind, ids in sorted(call.associations.items())
            if kind in evidence.associations
        ),
    )


def _properties(
    values: Mapping[str, str | None], evidence: Evidence
) -> tuple[tuple[str, str], ...]:
    wanted = set(evidence.properties) - UNTRACKED
    return tuple(sorted((name, value) for name in wanted if (value := values.get(name))))


def by_call(evidence: Evidence) -> dict[str, list[CallEvent]]:
    """Return each call's events in their order."""
    calls: dict[str, list[CallEvent]] = {}
    for event in evidence.events:
        calls.setdefault(event.subject, []).append(event)
    return calls


def read_after_marks(evidence: Evidence) -> Iterator[str]:
    """1. Every acknowledged mark: its call was read after it, or lies in the dead letters."""
    for call in evidence.truth.values():
        if call.sent_at is None or call.id in evidence.dead:
            continue
        if call.read_at is None:
            yield f"call {call.id}: acknowledged at {call.acknowledged_at}, never read"
        elif call.read_at < max(call.sent_at, call.changed_at):
            yield (
                f"call {call.id}: changed at {call.changed_at}, told at {call.sent_at}, "
                f"acknowledged at {call.acknowledged_at}, last read at {call.read_at}"
            )


def sequences_increase(evidence: Evidence) -> Iterator[str]:
    """2. Per call, `sequence` strictly increases along the stream, and an id comes once."""
    for call_id, events in by_call(evidence).items():
        for before, after in pairwise(events):
            if after.sequence <= before.sequence:
                yield f"call {call_id}: {after.sequence} follows {before.sequence}"
    ids = [event.id for event in evidence.events]
    if len(ids) != len(set(ids)):
        yield f"{len(ids) - len(set(ids))} events repeat the id of another"


def nothing_repeats(evidence: Evidence) -> Iterator[str]:
    """3. No event repeats the state of the event before it on that call."""
    for call_id, events in by_call(evidence).items():
        for before, after in pairwise(events):
            if published(before, evidence) == published(after, evidence):
                yield f"call {call_id}: {after.id} ({after.type}) repeats {before.id}"


def last_events_are_true(evidence: Evidence) -> Iterator[str]:
    """4. The last event of every notified call is HubSpot's truth."""
    events = by_call(evidence)
    for call_id in events.keys() - evidence.truth.keys():
        yield f"call {call_id}: has events and never was in HubSpot"
    for call in evidence.truth.values():
        told = events.get(call.id, [])
        if call.id in evidence.dead or not (told or call.sent_at is not None):
            continue
        if not told:
            if call.state in {"live", "archived"}:
                yield f"call {call.id}: is {call.state} and has no event"
            continue
        yield from _differences(call, told[-1], evidence)


def _differences(call: TrueCall, event: CallEvent, evidence: Evidence) -> Iterator[str]:
    said, is_so = published(event, evidence), true(call, evidence)
    if said != is_so:
        parts = [
            f"{name}: {_only(getattr(said, name), getattr(is_so, name))}"
            for name in ("properties", "associations")
            if getattr(said, name) != getattr(is_so, name) and said.kind == is_so.kind
        ]
        told = f"{event.id} ({event.type}) says {said}, HubSpot has {is_so}"
        yield "; ".join([f"call {call.id}: {told}", *parts])
    departed = is_so.kind != "live"
    if departed and event.type not in {
        "callstream.call.deleted",
        "callstream.call.updated",
        "callstream.call.snapshot",
    }:
        yield f"call {call.id}: is {is_so} and its last event is {event.type}"


def _only(said: tuple[object, ...], is_so: tuple[object, ...]) -> str:
    """Return what only one of them holds, values cut short."""
    here = [str(item)[:80] for item in said if item not in is_so]
    there = [str(item)[:80] for item in is_so if item not in said]
    return f"event {here}, HubSpot {there}"


def ledger_is_empty(evidence: Evidence) -> Iterator[str]:
    """5. Nothing is marked, leased, or has a bell outstanding."""
    if evidence.outstanding.work:
        yield f"the ledger holds {evidence.outstanding}"


def budget_was_kept(evidence: Evidence) -> Iterator[str]:
    """6. HubSpot was never asked more than the budget allows."""
    counts = evidence.counts
    if counts.refused:
        yield f"HubSpot refused {counts.refused} requests for its limit of {evidence.rate_limit}"
    if counts.peak_10s > evidence.rate_limit:
        yield f"{counts.peak_10s} requests within 10 s, {evidence.rate_limit} are allowed"


def events_are_readable(evidence: Evidence) -> Iterator[str]:
    """Every entry of the streams is a call event."""
    yield from (f"entry {told}" for told in evidence.unreadable)


RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    read_after_marks,
    sequences_increase,
    nothing_repeats,
    last_events_are_true,
    ledger_is_empty,
    budget_was_kept,
    events_are_readable,
)


def violations(evidence: Evidence) -> dict[str, list[str]]:
    """Return what breaks each rule, by the rule's name; empty when all hold."""
    found = {rule.__name__: list(rule(evidence)) for rule in RULES}
    return {name: broken for name, broken in found.items() if broken}


def assert_invariants(evidence: Evidence) -> None:
    """Fail with everything that breaks an invariant, some calls of each named."""
    lines: list[str] = []
    for name, broken in violations(evidence).items():
        lines += [f"{name}: {len(broken)}", *(f"  {line}" for line in broken[:MOST_SHOWN])]
    if lines:
        raise AssertionError("\n".join(lines))
