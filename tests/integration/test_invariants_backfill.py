"""Backfills on a whole deployment: workers are killed, calls change meanwhile, the budget is tight.

Real processes; our waits are cut to `SCALED` but where the budget's own window is what counts.
"""

import asyncio
import random
from pathlib import Path

import pytest

from jobs.queue import queue_key
from tests.bench.deployment import ages_ms
from tests.simulator.messages import Archive, Create, Deed, Purge, Restore, Update
from tests.support.backfilling import FleetBackfills, backfills_of
from tests.support.evidence import read_events
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.invariants import assert_invariants
from tests.support.redis import MakeRedis
from tests.support.trouble import DISORDER, SCALED, assert_sound_logs, fail_requests

pytestmark = pytest.mark.one_redis

SCALE = float(SCALED["TIMING_SCALE"])
UNASKED = {"BACKFILL_ON_CONNECT": "none"}
SETTLED_WITHIN_S = 60.0


async def kill_while_it_runs(
    running: Fleet, backfills: FleetBackfills, calls: int, kills: int
) -> int:
    """Backfill so many calls and kill workers at random moments of it; return how often."""
    rng = random.Random(5)
    run = await backfills.start()
    moments = sorted(rng.sample(range(1, calls // 100), kills))
    done = 0
    for page in moments:
        await backfills.pages(run, page, timeout_s=60)
        await asyncio.sleep(rng.uniform(0, 0.02))  # in the middle of a later page
        if (await backfills.look(run)).state == "finished":
            break
        victim = running.workers[done % len(running.workers)]
        await victim.kill()
        await victim.start()
        done += 1
    run = await backfills.ended(run, timeout_s=60)
    assert (run.state, run.saw_end, run.seen) == ("finished", True, calls)
    return done


async def test_every_call_once_though_workers_are_killed(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """Workers that are killed at random moments of a run lose, repeat and skip no call."""
    calls, kills = 15_000, 5
    plan = Plan(services=1, workers=2, environ={**SCALED, **UNASKED}, knobs={"latency_ms": 10})
    async with fleet(plan, tmp_path, make_redis()) as running:
        async with backfills_of(running, SCALE) as backfills:
            await backfills.import_calls(calls)
            assert await kill_while_it_runs(running, backfills, calls, kills) >= kills - 1
        events, unreadable = await read_events(running.redis, plan.namespace)
        truth = await running.hubspot.truth(running.portal_id)
        assert unreadable == []
        assert len(events) == calls
        assert {event.subject for event in events} == truth.keys()


def meddle(rng: random.Random, live: list[int], binned: list[int]) -> list[Deed]:
    """Return what happens next to some of the calls."""
    deeds: list[Deed] = []
    for _ in range(8):
        match rng.choices(["update", "archive", "restore", "purge"], (8, 3, 2, 1))[0]:
            case "archive" if live:
                binned.append(live.pop(rng.randrange(len(live))))
                deeds.append(Archive(binned[-1]))
            case "restore" if binned:
                live.append(binned.pop(rng.randrange(len(binned))))
                deeds.append(Restore(live[-1]))
            case "purge" if binned:
                deeds.append(Purge(binned.pop(rng.randrange(len(binned)))))
            case _:
                title = f"Title {rng.random()}"
                deeds.append(Update(rng.choice(live), {"hs_call_title": title}))
    return deeds


async def test_invariants_hold_while_a_backfill_runs(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Calls are edited, deleted, restored and purged before, on and behind the page that is read.

    HubSpot repeats, delays and scatters notifications and fails 5 % of the requests.
    """
    calls = 4_000
    plan = Plan(knobs={**DISORDER, "latency_ms": 30}, environ={**SCALED, **UNASKED})
    async with fleet(plan, tmp_path, make_redis(aof=True)) as running:
        rng, binned = random.Random(7), list[int]()
        async with backfills_of(running, SCALE) as backfills:
            await backfills.import_calls(calls)
            live = [int(call) for call in await running.hubspot.truth(running.portal_id)]
            await fail_requests(running)
            await running.hubspot.do(*[Archive(live.pop()) for _ in range(150)])
            runs = [await backfills.start("live"), await backfills.start("archived")]
            while any([(await backfills.look(run)).state != "finished" for run in runs]):
                await running.hubspot.do(*meddle(rng, live, binned))
                await asyncio.sleep(0.02)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert_invariants(evidence)
        told = {event.subject for event in evidence.events}
        there = {c.id for c in evidence.truth.values() if c.state in {"live", "archived"}}
        assert there <= told
        assert {event.data.origin for event in evidence.events} == {"backfill", "webhook"}
        assert_sound_logs(running.programs)


async def test_live_changes_go_before_a_backfill(tmp_path: Path, make_redis: MakeRedis) -> None:
    """While a backfill uses a limit of 100 in 10 s up, new calls are on the stream in seconds.

    HubSpot refuses nothing, and the backfill still gets most of what the limit allows.
    """
    limit, seconds = 100, 12
    plan = Plan(services=1, workers=1, rate_limit=limit, environ=UNASKED)
    async with fleet(plan, tmp_path, make_redis()) as running:
        async with backfills_of(running) as backfills:
            await backfills.import_calls(20_000)
            first = len(await running.hubspot.changes(running.portal_id))
            run = await backfills.start()
            await backfills.pages(run, 5)
            for number in range(seconds):
                await running.hubspot.do(Create(properties={"hs_call_title": f"Call {number}"}))
                await asyncio.sleep(1)
            run = await backfills.look(run)
            ages = await ages_ms(running, running.portal_id, first)
            counts = (await running.hubspot.requests()).accounts[running.portal_id]
        assert len(ages) >= seconds - 1
        assert max(ages) < 3_000
        assert counts.refused == 0
        assert counts.peak_10s <= limit
        assert run.pages >= 0.3 * limit * seconds / 10
        assert await running.redis.zcard(queue_key(plan.namespace, "collections")) <= 3
