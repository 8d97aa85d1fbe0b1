"""Backfills on a whole deployment: workers are killed, calls change meanwhile, the budget is tight.

Real processes; our waits are cut to `SCALED` but where the budget's own window is what counts.
"""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest

from jobs.backfill.report import report_of
from jobs.queue import queue_key
from service.cli.backfill.desk import line
from tests.bench.deployment import ages_ms
from tests.simulator.messages import Archive, Create
from tests.support.backfilling import backfills_of
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.invariants import assert_invariants
from tests.support.killing import events_by_call, kill_at_random
from tests.support.meddling import WEIGHTS, Meddler
from tests.support.outstanding import outstanding
from tests.support.redis import MakeRedis
from tests.support.trouble import DISORDER, SCALED, assert_sound_logs, fail_requests
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

SCALE = float(SCALED["TIMING_SCALE"])
UNASKED = {"BACKFILL_ON_CONNECT": "none"}
SETTLED_WITHIN_S = 60.0
LATENCY_MS = 30
"""HubSpot looks at the calls that it answers when this has passed."""
SLOWER = {"TIMING_SCALE": "0.15"}
STALL_S = 1.2
"""With the latency less than a request may take at `SLOWER` waits."""


async def test_every_call_once_though_the_worker_is_killed(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """A worker that is killed at random moments of a run loses, repeats and skips no call.

    The same run once more adds nothing, and says so. `python -m tests.bench.killing` does it with
    100,000 calls and twenty kills.
    """
    calls, kills = 5_000, 5
    plan = Plan(services=1, workers=1, environ={**SCALED, **UNASKED}, knobs={"latency_ms": 10})
    async with (
        fleet(plan, tmp_path, make_redis()) as running,
        backfills_of(running, SCALE) as backfills,
    ):
        await backfills.import_calls(calls)
        killed = await kill_at_random(
            running,
            backfills,
            calls=calls,
            kills=kills,
            rng=random.Random(5),
            page_s=0.04,
            timeout_s=60,
        )
        assert (killed.kills, killed.run.saw_end, killed.run.seen) == (kills, True, calls)
        assert killed.in_turn >= 1
        events = await events_by_call(running.redis, plan.namespace)
        truth = await running.hubspot.truth(running.portal_id)
        assert events == dict.fromkeys(truth, 1)
        again = await backfills.ended(await backfills.start(), timeout_s=60)
        assert line(report_of(again)).endswith(
            "finished, 5,000 of 5,000 calls: nothing new, 5,000 unchanged"
        )
        assert await events_by_call(running.redis, plan.namespace) == events


async def stall(running: Fleet, rng: random.Random, meddler: Meddler, page: int) -> None:
    """Freeze those who read pages while calls of the page that is read change, and are published.

    HubSpot's answer waits in a socket: what it says is published after it has been overtaken.
    """
    for one in running.collectors:
        await one.pause()
    await asyncio.sleep(2 * LATENCY_MS / 1000)
    await meddler.meddle(page, 12)
    await asyncio.sleep(STALL_S / 4)

    async def caught_up() -> bool:
        left = await outstanding(running.redis, running.plan.namespace, running.portal_id)
        return not left.due

    with contextlib.suppress(TimeoutError):
        await until(caught_up, timeout_s=3 * STALL_S / 4, every_s=0.05)
    for one in rng.sample(running.collectors, len(running.collectors)):
        await one.resume()


async def test_invariants_hold_while_a_backfill_runs(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Calls are edited, deleted, restored, merged and purged on the page that was just read.

    Workers stall between reading a page and publishing it, so that the live job is ahead of them.
    HubSpot repeats, delays and scatters notifications and fails 5 % of the requests.
    """
    calls, rng = 2_500, random.Random(7)
    plan = Plan(
        collectors=2, knobs={**DISORDER, "latency_ms": LATENCY_MS}, environ={**SLOWER, **UNASKED}
    )
    async with fleet(plan, tmp_path, make_redis(aof=True)) as running:
        async with backfills_of(running, float(SLOWER["TIMING_SCALE"])) as backfills:
            await backfills.import_calls(calls)
            listed = sorted(int(call) for call in await running.hubspot.truth(running.portal_id))
            await fail_requests(running)
            await running.hubspot.do(*[Archive(listed.pop()) for _ in range(150)])
            meddler = Meddler(running, rng, listed)
            runs = [await backfills.start("live"), await backfills.start("archived")]
            while (page := (await backfills.look(runs[0])).pages) < len(listed) // 100 - 2:
                await stall(running, rng, meddler, page)
                await backfills.pages(runs[0], page + 1)
            runs = [await backfills.ended(run, timeout_s=SETTLED_WITHIN_S) for run in runs]
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert_invariants(evidence)
        told = {event.subject for event in evidence.events}
        there = {c.id for c in evidence.truth.values() if c.state in {"live", "archived"}}
        assert there <= told
        assert {event.data.origin for event in evidence.events} == {"backfill", "webhook"}
        assert meddler.done.keys() == WEIGHTS.keys()
        assert sum(run.marked for run in runs) >= 1  # pages were overtaken: mostly a hundred calls
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
