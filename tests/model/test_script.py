"""The real script decides as the model does, and is caught when a rule is taken out of it."""

from functools import cache
from random import Random

import pytest
from redis.asyncio import Redis

import jobs.scripts
from tests.model.explorer import Counterexample, Explored, Run, explore, run_to, wander
from tests.model.histories import history
from tests.model.replay import Offer, Replay, Replayed, judge, play, replay_of, told
from tests.model.rules import ALL
from tests.model.variants import VARIANTS, Variant
from tests.model.world import NOTHING, Scenario, is_quiet, successors

SMALL_WORLDS = (
    Scenario(history("pb"), unasked=2),
    Scenario(history("ar")),
    Scenario(history("pa"), lossy=True),
    Scenario(history("xx"), lossy=True),
    Scenario(history("pv")),
    Scenario(history("p"), lag=True),
    Scenario(history("e"), lag=True, unasked=2),
    Scenario(history("xe"), lossy=True),
)
LARGE_WORLDS = tuple(
    Scenario(history(word), readers=3, unasked=3, lag=lag)
    for word, lag in [
        ("pbpb", True),
        ("pbar", True),
        ("xpxa", True),
        ("pvxa", False),
        ("pxae", True),
    ]
)
FAR_AHEAD_MS = 1_000_000


@cache
def _every_decision(scenario: Scenario) -> tuple[Replay, ...]:
    """Return a replay to each decision that the world can come to."""
    explored = explore(scenario)
    assert isinstance(explored, Explored)
    runs: list[Run] = []
    for world in explored.ways:
        if any(read.associations != NOTHING for read in world.reads):
            steps, here = run_to(scenario, ALL, explored.ways, world)
            runs += [
                Run((*steps, (here, step)), after)
                for step, after in successors(scenario, ALL, here)
                if step.name == "offer"
            ]
    return tuple(dict.fromkeys(replay_of(scenario, run) for run in runs))


@cache
def _random_runs(scenario: Scenario) -> tuple[Replay, ...]:
    random = Random(7)
    return tuple(replay_of(scenario, wander(scenario, random)) for _ in range(300))


async def _agree(redis: Redis, replays: tuple[Replay, ...]) -> set[str]:
    """Assert that script and model agree; return all outcomes there were."""
    seen: set[str] = set()
    for replay, replayed in zip(replays, await play(redis, replays), strict=True):
        expected = tuple(told(step) for step in replay.steps if isinstance(step, Offer))
        assert expected == replayed.outcomes, replay
        types = [outcome.split()[1] for outcome in expected if outcome.startswith("published")]
        assert types == [kind.removeprefix("callstream.call.") for _, kind, _ in replayed.events]
        assert judge(replay, replayed) == ""
        seen |= set(expected)
    return seen


@pytest.mark.parametrize("scenario", SMALL_WORLDS, ids=lambda world: world.history.moments)
async def test_every_decision(redis: Redis, scenario: Scenario) -> None:
    """Whatever state a small world is in, the script decides as the model does."""
    await _agree(redis, _every_decision(scenario))


async def test_long_runs(redis: Redis) -> None:
    """Over random runs of three readers through five states the script decides as the model."""
    replays = tuple(replay for world in LARGE_WORLDS for replay in _random_runs(world))
    assert await _agree(redis, replays) == {
        "lagging",
        "overtaken",
        "published created",
        "published deleted",
        "published restored",
        "published updated",
        "unchanged",
        "unknown",
    }


def _telling_run(variant: Variant) -> Run:
    """Return a run that needs the rule: one that breaks a promise without it, or ends with it."""
    without = explore(variant.scenario, ALL._replace(**{variant.name: False}))
    assert isinstance(without, Counterexample)
    if without.what != "it never comes to rest":
        return without.run
    explored = explore(variant.scenario)
    assert isinstance(explored, Explored)
    quiet = [world for world in explored.ways if is_quiet(variant.scenario, world)]
    runs = [run_to(variant.scenario, ALL, explored.ways, world) for world in quiet]
    return next(run for run in runs if any(step.name == "minute" for _, step in run.steps))


async def _replay_alone(redis: Redis, replay: Replay) -> Replayed:
    """Play one replay on a clock that is ahead, so that losing it sets it back."""
    await redis.flushdb()
    seconds, _ = await redis.time()
    await redis.set("clock:{0}", seconds * 1000 + FAR_AHEAD_MS)
    [replayed] = await play(redis, [replay])
    return replayed


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
async def test_rule_taken_out(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, variant: Variant
) -> None:
    """A script without the rule breaks the promise that the model foretells; the whole one not."""
    replay = replay_of(variant.scenario, _telling_run(variant))
    whole = await _replay_alone(redis, replay)
    assert judge(replay, whole) == ""

    source = jobs.scripts.source
    text = source("stream/publish")
    assert text.count(variant.text) == 1
    broken = text.replace(variant.text, variant.instead)

    def mutated(name: str) -> str:
        return broken if name == "stream/publish" else source(name)

    monkeypatch.setattr(jobs.scripts, "source", mutated)
    without = await _replay_alone(redis, replay)
    assert without != whole
    if variant.breaks != "it never comes to rest":
        assert judge(replay, without) == variant.breaks
