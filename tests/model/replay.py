"""Runs of the model, taken to the real script on a real Redis.

Each run is a call of its own in one portal and partition; many go side by side, one step each at a
time, so that a thousand runs cost no more round trips than the longest of them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from redis.asyncio import Redis

from jobs.events.digest import GONE, of_call
from jobs.redis import command
from jobs.stream.stream import Candidate, Lagging, Outcome, Overtaken, Published, Stream, Unchanged
from jobs.timing import Timing
from tests.model.explorer import Run
from tests.model.rules import State
from tests.model.world import (
    BACK_FROM_ERASURE,
    SETTLED,
    History,
    Scenario,
    View,
    is_true,
    look,
    state_of,
)

PORTAL = 62515
MINUTE_MS = 60_000
_SINCE = slice(8, 14)


class Offer(NamedTuple):
    """A publication that a run asks for, and what the model makes of it."""

    read: int
    """Number of the read, which is that of its ticket."""
    properties: int
    associations: int
    outcome: str
    type: str


class Replay(NamedTuple):
    """A run as the script sees it."""

    scenario: Scenario
    steps: tuple[int | str | Offer, ...]
    """A read's number when it takes its ticket, an offer, `minute` or `forget`."""


class Replayed(NamedTuple):
    """What the real script made of a replay."""

    outcomes: tuple[str, ...]
    events: tuple[tuple[int, str, State], ...]
    """Version, type and state of what is on the stream."""


def replay_of(scenario: Scenario, run: Run) -> Replay:
    """Return what a run asks of the script."""
    steps: list[int | str | Offer] = []
    begun, reads = 0, list[int]()
    for world, step in run.steps:
        match step.name:
            case "start" | "start unasked":
                steps.append(begun)
                reads.append(begun)
                begun += 1
            case "offer":
                read = world.reads[step.read]
                offered = Offer(
                    reads.pop(step.read),
                    read.properties,
                    read.associations,
                    step.outcome,
                    step.type,
                )
                steps.append(offered)
            case "minute" | "forget":
                steps.append(step.name)
            case _:
                pass
    return Replay(scenario, tuple(steps))


async def play(redis: Redis, replays: Sequence[Replay]) -> list[Replayed]:
    """Run the replays side by side on an empty Redis and return what became of each.

    A replay that loses the clock must come alone, and with a clock that is ahead of its server.
    """
    stream = _process(redis)
    calls = {str(1000 + number): replay for number, replay in enumerate(replays)}
    tickets: dict[tuple[str, int], int] = {}
    outcomes: dict[str, list[str]] = {call: [] for call in calls}
    for number in range(max(len(replay.steps) for replay in replays)):
        now = {c: replay.steps[number] for c, replay in calls.items() if number < len(replay.steps)}
        if any(step == "forget" for step in now.values()):
            await redis.delete("clock:{0}")
            stream = _process(redis)  # the old process would remember
        ticket = await stream.ticket(0)
        tickets |= {(call, step): ticket for call, step in now.items() if isinstance(step, int)}
        await _pass_minute(redis, [call for call, step in now.items() if step == "minute"])
        offers = {call: step for call, step in now.items() if isinstance(step, Offer)}
        candidates = [
            _candidate(call, calls[call].scenario.history, offer, tickets[call, offer.read])
            for call, offer in offers.items()
        ]
        made = await stream.publish(0, PORTAL, 1, candidates)
        for call, outcome in zip(offers, made, strict=True):
            outcomes[call].append(_told(outcome))
    events = await _events(redis)
    return [Replayed(tuple(outcomes[call]), tuple(events.get(call, ()))) for call in calls]


def _process(redis: Redis) -> Stream:
    return Stream(redis, "", Timing(), 1)


def _candidate(call: str, history: History, offer: Offer, ticket: int) -> Candidate:
    state = state_of(history, offer.properties, offer.associations)
    if state.erased:
        return Candidate(
            call_id=call,
            ticket=ticket,
            digest=GONE,
            updated_at_ms=0,
            state="erased",
            first_type="deleted",
            time="2024-01-15T11:00:00.000Z",
            data=msgspec.json.encode(state),
        )
    return Candidate(
        call_id=call,
        ticket=ticket,
        digest=of_call(
            {"hs_call_title": state.properties},
            {"contacts": [state.associations]},
            archived=state.archived,
            wanted=["hs_call_title"],
        ),
        updated_at_ms=history.properties[offer.properties].updated_at,
        state="archived" if state.archived else "live",
        first_type="deleted" if state.archived else "created",
        time="2024-01-15T11:00:00.000Z",
        data=msgspec.json.encode(state),
    )


def _told(outcome: Outcome) -> str:
    match outcome:
        case Published():
            return f"published {outcome.type}"
        case Unchanged():
            return "unchanged"
        case Overtaken():
            return "overtaken"
        case Lagging():
            return "lagging"
        case _:
            return "unknown"


def told(offer: Offer) -> str:
    """Return an offer's outcome in the words of `Replayed.outcomes`."""
    return f"{offer.outcome} {offer.type}".strip()


async def _pass_minute(redis: Redis, calls: Sequence[str]) -> None:
    """Let the first refusal of these calls have been a minute earlier than it was."""
    if not calls:
        return
    key = f"refused:{{0}}:{PORTAL}"
    held = msgspec.convert(await command(redis, "HMGET", key, *calls), list[bytes])
    for call, raw in zip(calls, held, strict=True):
        since = int.from_bytes(raw[_SINCE]) - MINUTE_MS
        earlier = raw[: _SINCE.start] + since.to_bytes(6) + raw[_SINCE.stop :]
        await command(redis, "HSET", key, call, earlier)


async def _events(redis: Redis) -> dict[str, list[tuple[int, str, State]]]:
    events: dict[str, list[tuple[int, str, State]]] = {}
    for _, fields in await redis.xrange("calls:{0}"):
        state = msgspec.json.decode(fields[b"data"], type=State)
        event = (int(fields[b"sequence"]), fields[b"type"].decode(), state)
        events.setdefault(fields[b"subject"].decode(), []).append(event)
    return events


def judge(replay: Replay, replayed: Replayed) -> str:
    """Return the promise that the stream broke, empty if it kept them all.

    What the last event must be is known once a read of HubSpot's last state was settled.
    """
    scenario, view = replay.scenario, View()
    history = scenario.history
    for version, _, state in replayed.events:
        view, broken = look(history, view, version, state, orderly=not scenario.forgetful)
        if broken:
            return broken
    settled = erased = False
    offers = [step for step in replay.steps if isinstance(step, Offer)]
    for offer, outcome in zip(offers, replayed.outcomes, strict=True):
        if erased and outcome.startswith("published"):
            return BACK_FROM_ERASURE
        if outcome.split()[0] in SETTLED:
            settled |= (offer.properties, offer.associations) == history.moments[-1]
            erased |= state_of(history, offer.properties, offer.associations).erased
    if settled and not scenario.forgetful and not is_true(history, view):
        return "the last event is not HubSpot's state"
    return ""
