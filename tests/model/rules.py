"""The rules of publishing, pure: what becomes of one read, given the call's record.

States stand for digests: two states are the same if they are equal. Times are small integers.
"""

from typing import NamedTuple


class Rules(NamedTuple):
    """Which rules hold; all do, unless a test takes one out."""

    overtaken: bool = True
    """1: a read that began before the last publication or confirmation is not published."""
    lagging: bool = True
    """2: a state older than the published one is refused."""
    insisting: bool = True
    """2: HubSpot gets its way when it repeats the older state three times over a minute."""
    patient: bool = True
    """2: three times alone are not enough, it takes the minute."""
    unchanged: bool = True
    """3: the published state is not published again."""
    confirming: bool = True
    """1 and 3: a confirmation raises the stamp."""
    renewing: bool = True
    """1 and 3: a confirmation raises `updatedAt`."""
    rising: bool = True
    """4: the version is higher than the last one, whatever the clock says."""
    stamping: bool = True
    """4: a publication sets the stamp."""
    erasing: bool = True
    """2: a live state of a call that was deleted for privacy is an older one, whatever its time."""
    hiding: bool = True
    """3: an archived state of such a call is the published one."""
    remembering: bool = True
    """The erasure of a call that was never published is kept."""


ALL = Rules()


class State(NamedTuple):
    """What HubSpot has of the call, as far as a digest tells."""

    properties: str
    archived: bool
    associations: str
    erased: bool = False


ERASED = State("", archived=True, associations="", erased=True)
"""What there is of a call that was deleted for privacy."""


class Record(NamedTuple):
    """What was last published."""

    version: int
    stamp: int
    updated_at: int
    state: State


class Refusal(NamedTuple):
    """An older state that was refused."""

    state: State
    times: int
    long_ago: bool
    """True once a minute has passed since the first time."""


class Candidate(NamedTuple):
    """What a reader has read."""

    ticket: int
    updated_at: int
    state: State


class Memory(NamedTuple):
    """What Redis keeps."""

    clock: int = 0
    record: Record | None = None
    refusal: Refusal | None = None


class Decision(NamedTuple):
    """What became of a read."""

    outcome: str
    """`published`, `unchanged`, `overtaken`, `lagging` or `unknown`."""
    memory: Memory
    type: str = ""
    """The event's type, if there is one."""


def decide(rules: Rules, memory: Memory, candidate: Candidate) -> Decision:
    """Return what becomes of a read."""
    clock, record, refusal = memory.clock + 1, memory.record, memory.refusal
    if record is None and candidate.state.erased:
        kept = Record(0, clock, 0, ERASED) if rules.remembering else None
        return Decision("unknown", Memory(clock, kept))
    if record is None:
        return _publish(rules, Memory(clock), candidate, reverted=False)
    clock = max(clock, record.stamp)
    hidden = rules.hiding and record.state.erased and candidate.state.archived
    same = hidden or candidate.state == record.state
    if rules.overtaken and candidate.ticket <= record.stamp and not same:
        return Decision("overtaken", memory._replace(clock=clock))
    reverted = False
    if rules.lagging and _is_older(rules, candidate, record) and not same:
        refusal = _refuse(refusal, candidate.state)
        reverted = (
            rules.insisting and refusal.times >= 3 and (refusal.long_ago or not rules.patient)
        )
        if not reverted:
            return Decision("lagging", Memory(clock, record, refusal))
    if rules.unchanged and same:
        return Decision("unchanged", Memory(clock, _confirm(rules, record, clock, candidate)))
    return _publish(rules, Memory(clock, record), candidate, reverted=reverted)


def _is_older(rules: Rules, candidate: Candidate, record: Record) -> bool:
    if rules.erasing and record.state.erased:
        return not candidate.state.archived
    return not candidate.state.erased and candidate.updated_at < record.updated_at


def _refuse(refusal: Refusal | None, state: State) -> Refusal:
    if refusal is None or refusal.state != state:
        return Refusal(state, 1, long_ago=False)
    return refusal._replace(times=min(3, refusal.times + 1))


def _confirm(rules: Rules, record: Record, clock: int, candidate: Candidate) -> Record:
    if rules.confirming:
        record = record._replace(stamp=clock)
    if rules.renewing:
        record = record._replace(updated_at=max(record.updated_at, candidate.updated_at))
    return record


def _publish(rules: Rules, memory: Memory, candidate: Candidate, *, reverted: bool) -> Decision:
    clock, last = memory.clock, memory.record
    if last is not None and rules.rising:
        clock = max(clock, last.version + 1)
    updated_at = candidate.updated_at
    if last is not None and not reverted:
        updated_at = max(updated_at, last.updated_at)
    record = Record(clock, clock if rules.stamping else 0, updated_at, candidate.state)
    return Decision("published", Memory(clock, record), event_type(last, candidate.state))


def event_type(last: Record | None, state: State) -> str:
    """Return the type of the event that takes a call from its last published state to this one."""
    if last is None or not last.version:
        return "deleted" if state.archived else "created"
    if last.state.archived:
        return "updated" if state.archived else "restored"
    return "deleted" if state.archived else "updated"
