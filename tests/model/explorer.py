"""Visits every reachable state of a world: all interleavings of its readers with its history."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise
from random import Random
from typing import NamedTuple

from tests.model.rules import ALL, Memory, Rules
from tests.model.world import Scenario, Step, World, begin, complaint, is_quiet, successors

_LOST, _BEFORE, _STAMP, _LATER = 0, 1, 9, 10

Ways = Mapping[World, World | None]
"""Each state, and the one that it was first reached from."""


class Run(NamedTuple):
    """What happens, from the beginning on."""

    steps: tuple[tuple[World, Step], ...]
    """Each step with the world before it."""
    end: World


class Counterexample(NamedTuple):
    """The shortest way to a broken promise."""

    what: str
    run: Run


class Explored(NamedTuple):
    """All states of a world that has no counterexample."""

    ways: Ways


def explore(scenario: Scenario, rules: Rules = ALL) -> Explored | Counterexample:
    """Return the shortest counterexample, or all states if there is none.

    That quiet can be reached from everywhere is one of the promises.
    """
    first = normal(begin(scenario))
    ways: dict[World, World | None] = {first: None}
    before: dict[World, list[World]] = {}
    quiet: list[World] = []
    queue = deque([first])
    while queue:
        world = queue.popleft()
        if broken := complaint(scenario, world):
            return Counterexample(broken, run_to(scenario, rules, ways, world))
        if is_quiet(scenario, world):
            quiet.append(world)
        for _, after in successors(scenario, rules, world):
            following = normal(after)
            before.setdefault(following, []).append(world)
            if following not in ways:
                ways[following] = world
                queue.append(following)
    stuck = _stuck(ways, before, quiet)
    if stuck is not None:
        return Counterexample("it never comes to rest", run_to(scenario, rules, ways, stuck))
    return Explored(ways)


def run_to(scenario: Scenario, rules: Rules, ways: Ways, world: World) -> Run:
    """Return a run that ends in a state, among the shortest."""
    path = [world]
    while (previous := ways[path[-1]]) is not None:
        path.append(previous)
    steps: list[tuple[World, Step]] = []
    current = begin(scenario)
    for _, following in pairwise(reversed(path)):
        step, after = next(
            (step, after)
            for step, after in successors(scenario, rules, current)
            if normal(after) == following
        )
        steps.append((current, step))
        current = after
    return Run(tuple(steps), current)


def wander(scenario: Scenario, random: Random, *, longest: int = 60) -> Run:
    """Return a random run that ends in quiet, or after `longest` steps."""
    steps: list[tuple[World, Step]] = []
    world = begin(scenario)
    while len(steps) < longest and (options := list(successors(scenario, ALL, world))):
        step, after = random.choice(options)
        steps.append((world, step))
        world = after
    return Run(tuple(steps), world)


def _stuck(
    ways: Iterable[World], before: Mapping[World, list[World]], quiet: list[World]
) -> World | None:
    """Return a state from which no quiet one can be reached."""
    reached, queue = set(quiet), list(quiet)
    while queue:
        for world in before.get(queue.pop(), ()):
            if world not in reached:
                reached.add(world)
                queue.append(world)
    return next((world for world in ways if world not in reached), None)


def normal(world: World) -> World:
    """Return the world with what makes no difference taken out.

    Of the times only this matters: which reads began before the record's stamp, and whether the
    clock stands before it, as it does only when it was lost. All other times are alike.
    """
    record = world.memory.record
    stamp = 0 if record is None else record.stamp
    if record is not None:
        record = record._replace(version=_STAMP, stamp=_STAMP)
    reads = [
        read._replace(ticket=_LATER if read.ticket > stamp else _BEFORE) for read in world.reads
    ]
    reads.sort()
    clock = _LATER if world.memory.clock >= stamp else _LOST
    return world._replace(
        reads=tuple(reads),
        memory=Memory(clock, record, world.memory.refusal),
        view=world.view._replace(version=_STAMP if world.view.version else 0),
    )
