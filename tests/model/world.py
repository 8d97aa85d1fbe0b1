"""A small world: HubSpot with a history, readers, a stream, and a consumer that watches it.

HubSpot moves through its history and notifies each change, unless the last notification is lost. A
notification marks the call. A reader starts with a ticket, reads the properties (from a replica
that may lag), then the associations, and offers both. Marked calls are read; some reads begin
unasked, as those of a pager, or of a worker whose lease has run out. What is not settled stays
marked.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tests.model.rules import ERASED, Candidate, Memory, Rules, State, decide

NOTHING = -1
BACK_FROM_ERASURE = "what was erased comes back"
"""The promise that is broken when a call is published after its privacy deletion was read."""
SETTLED = frozenset({"published", "unchanged", "unknown"})
"""Outcomes after which a call is not read again for the same mark."""


class Properties(NamedTuple):
    """What a batch read of the call answers."""

    value: str
    archived: bool
    updated_at: int
    erased: bool = False
    """Nothing: the call was deleted for privacy."""


class History(NamedTuple):
    """What HubSpot's call goes through. Properties and associations are read, so kept, apart."""

    properties: tuple[Properties, ...]
    associations: tuple[str, ...]
    moments: tuple[tuple[int, int], ...]
    """Which properties and which associations there are, one moment after the other."""


class Scenario(NamedTuple):
    """What the world is like."""

    history: History
    readers: int = 2
    unasked: int = 1
    """Reads that begin without a mark."""
    lossy: bool = False
    """The notification of the last change never comes."""
    lag: bool = False
    """Properties may be read as they were up to a minute ago."""
    forgetful: bool = False
    """Once, at any moment, the clock is lost and the server's time has gone back. Tickets from
    before it say nothing any more, so only two promises are left: the sequence increases, and no
    event repeats the state before it."""


class Read(NamedTuple):
    """A read on its way."""

    ticket: int
    wanted: int
    """The properties that it must find to be done with the mark it answers."""
    properties: int = NOTHING
    associations: int = NOTHING


class View(NamedTuple):
    """What the consumer has seen."""

    version: int = 0
    state: State | None = None
    properties: int = 0
    """The earliest place in the history that explains all properties so far."""
    associations: int = 0


class World(NamedTuple):
    """Everything that decides what may happen next."""

    now: int
    """The moment that HubSpot has come to."""
    marked: int
    """The properties that a read must find to settle the call's mark; `NOTHING` without a mark."""
    unasked: int
    reads: tuple[Read, ...]
    memory: Memory
    view: View
    floor: int = 0
    """The oldest properties that a replica may still show."""
    may_forget: bool = False
    erased: bool = False
    """True once somebody has read that the call was deleted for privacy."""
    truth_settled: bool = False
    """In a lossy world, true once a read of HubSpot's last state was published or unchanged."""
    broken: str = ""
    """The promise that the last step broke."""


class Step(NamedTuple):
    """One thing that happens."""

    name: str
    read: int = NOTHING
    """Which read it happens to."""
    found: int = NOTHING
    """Which properties or associations the read finds."""
    outcome: str = ""
    type: str = ""


def begin(scenario: Scenario) -> World:
    """Return the world at its beginning: the call exists, and its creation is notified."""
    return World(0, 0, scenario.unasked, (), Memory(), View(), may_forget=scenario.forgetful)


def successors(scenario: Scenario, rules: Rules, world: World) -> Iterator[tuple[Step, World]]:
    """Yield everything that may happen next, and the world after it."""
    if world.now < len(scenario.history.moments) - 1:
        yield Step("change"), _change(scenario, world)
    if len(world.reads) < scenario.readers:
        yield from _starts(scenario, world)
    for index, read in enumerate(world.reads):
        if read.associations == NOTHING:
            yield from _reading(scenario, world, index, read)
        else:
            yield _offer(scenario, rules, world, index, read)
    refusal = world.memory.refusal
    if refusal is not None and not refusal.long_ago and not world.reads:
        memory = world.memory._replace(refusal=refusal._replace(long_ago=True))
        floor = scenario.history.moments[world.now][0]
        yield Step("minute"), world._replace(memory=memory, floor=floor)
    if world.may_forget:
        memory = world.memory._replace(clock=0)
        yield Step("forget"), world._replace(memory=memory, may_forget=False)


def _change(scenario: Scenario, world: World) -> World:
    moments = scenario.history.moments
    now = world.now + 1
    if scenario.lossy and now == len(moments) - 1:
        return world._replace(now=now)
    properties = moments[now][0]
    wanted = properties if scenario.lag and properties != moments[world.now][0] else 0
    return world._replace(now=now, marked=max(world.marked, wanted))


def _starts(scenario: Scenario, world: World) -> Iterator[tuple[Step, World]]:
    ticket = world.memory.clock + 1
    memory = world.memory._replace(clock=ticket)
    if world.marked != NOTHING:
        read = _foregone(scenario, world, Read(ticket, world.marked))
        reads = (*world.reads, read)
        yield Step("start"), world._replace(memory=memory, marked=NOTHING, reads=reads)
    if world.unasked:
        reads = (*world.reads, _foregone(scenario, world, Read(ticket, 0)))
        unasked = world.unasked - 1
        yield Step("start unasked"), world._replace(memory=memory, unasked=unasked, reads=reads)


def _reading(
    scenario: Scenario, world: World, index: int, read: Read
) -> Iterator[tuple[Step, World]]:
    properties, associations = scenario.history.moments[world.now]
    if read.properties != NOTHING:
        after = read._replace(associations=associations)
        yield Step("associations", index, associations), _with(world, index, after)
        return
    for found in range(world.floor if scenario.lag else properties, properties + 1):
        after = _foregone(scenario, world, read._replace(properties=found))
        yield Step("properties", index, found), _with(world, index, after)


def _foregone(scenario: Scenario, world: World, read: Read) -> Read:
    """Return the read with what it must find from now on, whenever it looks."""
    history = scenario.history
    properties, associations = history.moments[world.now]
    oldest = world.floor if scenario.lag else properties
    if read.properties == NOTHING and oldest == len(history.properties) - 1:
        read = read._replace(properties=oldest)
    if read.properties != NOTHING and associations == len(history.associations) - 1:
        read = read._replace(associations=associations)
    return read


def _with(world: World, index: int, *read: Read) -> World:
    return world._replace(reads=(*world.reads[:index], *read, *world.reads[index + 1 :]))


def state_of(history: History, properties: int, associations: int) -> State:
    """Return the state that a read puts together from what it found."""
    found = history.properties[properties]
    if found.erased:
        return ERASED
    return State(found.value, found.archived, history.associations[associations])


def _offer(
    scenario: Scenario, rules: Rules, world: World, index: int, read: Read
) -> tuple[Step, World]:
    history = scenario.history
    state = state_of(history, read.properties, read.associations)
    updated_at = history.properties[read.properties].updated_at
    decision = decide(rules, world.memory, Candidate(read.ticket, updated_at, state))
    after = _with(world, index)._replace(memory=decision.memory)
    if decision.outcome == "published" and decision.memory.record is not None:
        version = decision.memory.record.version
        view, broken = look(history, world.view, version, state, orderly=not scenario.forgetful)
        broken = BACK_FROM_ERASURE if world.erased else broken
        after = after._replace(view=view, broken=broken)
    settled = decision.outcome in SETTLED
    if settled and state.erased:
        after = after._replace(erased=True)
    if settled and scenario.lossy and (read.properties, read.associations) == history.moments[-1]:
        after = after._replace(truth_settled=True)
    if not settled or read.properties < read.wanted:
        after = after._replace(marked=max(world.marked, read.wanted))
    return Step("offer", index, NOTHING, decision.outcome, decision.type), after


def look(
    history: History, view: View, version: int, state: State, *, orderly: bool = True
) -> tuple[View, str]:
    """Return what the consumer knows after one more event, and the promise that it broke, if any.

    An orderly stream never goes back: each event's properties, and each event's associations, must
    be found in the history, none earlier than those before.
    """
    if version <= view.version:
        return view, "the sequence does not increase"
    if state == view.state:
        return view, "an event repeats the state before it"
    if not orderly:
        return View(version, state), ""
    values = [(found.value, found.archived, found.erased) for found in history.properties]
    value = (state.properties, state.archived, state.erased)
    properties = _forward(values, value, view.properties)
    associations = _forward(history.associations, state.associations, view.associations)
    if state.erased:
        associations = view.associations
    seen = View(version, state, properties, associations)
    if properties == NOTHING:
        return seen, "properties go back"
    if associations == NOTHING:
        return seen, "associations go back"
    return seen, ""


def _forward(values: Sequence[object], value: object, start: int) -> int:
    for place in range(start, len(values)):
        if values[place] == value:
            return place
    return NOTHING


def is_quiet(scenario: Scenario, world: World) -> bool:
    """Return whether HubSpot has come to its last state and nothing is left to read."""
    last = len(scenario.history.moments) - 1
    return world.now == last and world.marked == NOTHING and not world.reads


def complaint(scenario: Scenario, world: World) -> str:
    """Return the promise that is broken in this world, empty if there is none.

    When it is quiet the last event must equal HubSpot, if every change was notified, or if a read
    of the last state was settled.
    """
    if world.broken or scenario.forgetful or not is_quiet(scenario, world):
        return world.broken
    required = world.truth_settled or not scenario.lossy
    if required and not is_true(scenario.history, world.view):
        return "the last event is not HubSpot's state"
    return ""


def is_true(history: History, view: View) -> bool:
    """Tell whether the last event is HubSpot's last state; of an erased call none need be."""
    truth = state_of(history, *history.moments[-1])
    return view.state == truth or (truth.erased and view.state is None)
