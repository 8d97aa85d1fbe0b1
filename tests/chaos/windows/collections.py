"""Collections are interrupted, and races with them are lost and won, under load."""

import asyncio
import contextlib
from typing import Final

from tests.chaos.deployment import Layout
from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window
from tests.simulator.messages import Associate, Deed, Dissociate
from tests.support.backfilling import backfills_of
from tests.support.evidence import read_events

CALLS: Final = 2_500
KILLS: Final = 6
WITHIN_S: Final = 40.0
LATE_MS: Final = 150
"""How long an answer of HubSpot's is on its way, in the window of races."""
CHURN_S: Final = 0.03


async def _kill_in_backfill(scene: Scene) -> Proof:
    """SIGKILL random workers while a backfill runs; every call that there was must have come."""
    running = scene.running
    async with backfills_of(running, scene.scale) as backfills:
        await backfills.import_calls(CALLS)
        there = set(await scene.hubspot.truth(running.portal_id))
        run = await backfills.start()
        killed = 0
        for page in sorted(scene.rng.sample(range(1, CALLS // 100), k=KILLS)):
            await backfills.pages(run, page, timeout_s=WITHIN_S)
            if (await backfills.look(run)).state == "finished":
                break
            await scene.moment(0.0, 0.06)
            killed += await scene.kill(scene.rng.choice(running.workers), away_s=0.05)
        with contextlib.suppress(TimeoutError):
            run = await backfills.ended(run, timeout_s=WITHIN_S)
    events, _ = await read_events(running.streams, running.plan.namespace)
    missing = there - {event.subject for event in events}
    if run.state != "finished" or missing:
        scene.broken.append(f"the backfill is {run.state}, and {len(missing)} calls never came")
    return Proof(count=killed, what="workers gone while the backfill ran", needed=KILLS // 2)


async def _race_with_backfill(scene: Scene) -> Proof:
    """Change associations of calls while pages that show them without are on their way.

    An association moves no time of the call: only the ticket tells which read began first.
    """
    running = scene.running
    (line,) = running.links["worker-hubspot"]
    changed = 0
    async with backfills_of(running, scene.scale) as backfills:
        await backfills.import_calls(CALLS)
        ids = sorted(map(int, await scene.hubspot.truth(running.portal_id)))
        line.delay_ms = LATE_MS
        run = await backfills.start()
        while (await backfills.look(run)).state != "finished":
            seen = (await backfills.look(run)).seen
            changed += await _churn(scene, ids[seen : seen + 200])
            await asyncio.sleep(CHURN_S)
        line.heal()
    return Proof(count=changed, what="associations changed beside the page being read", needed=50)


async def _churn(scene: Scene, beside: list[int]) -> int:
    """Give some of the calls an association, and take that of others."""
    deeds: list[Deed] = []
    truth = await scene.hubspot.truth(scene.running.portal_id)
    for call_id in scene.rng.sample(beside, k=min(12, len(beside))):
        call = truth[str(call_id)]
        if call.state != "live":
            continue
        held = call.associations.get("deals", [])
        deeds.append(
            Dissociate(call_id, "deals", int(held[0]))
            if held
            else Associate(call_id, "deals", scene.rng.randrange(1, 10**6))
        )
    if deeds:
        await scene.hubspot.do(*deeds)
    return len(deeds)


async def _budget(scene: Scene) -> Proof:
    """Ask for more than the limit allows, and kill a worker that knew what was spent."""
    before = sum((await _counts(scene)).values())
    await scene.kill(scene.running.workers[0])
    await asyncio.sleep(TIGHT_S)
    asked = sum((await _counts(scene)).values()) - before
    return Proof(count=asked, what="requests, against a limit that was felt", needed=TIGHT // 2)


async def _counts(scene: Scene) -> dict[str, int]:
    return (await scene.hubspot.requests()).accounts[scene.running.portal_id].by_operation


TIGHT: Final = 150
"""Requests per 10 s: a fifth of what the load would ask for."""
TIGHT_S: Final = 10.0

WINDOWS: Final = (
    Window(
        name="backfill-sigkill",
        fault=f"SIGKILL of a worker up to {KILLS} times while a backfill runs",
        strike=_kill_in_backfill,
        layout=Layout(knobs={"latency_ms": 30}),
    ),
    Window(
        name="backfill-races",
        fault="associations change beside the page that a backfill reads, over a slow line",
        strike=_race_with_backfill,
        layout=Layout(linked=True),
    ),
    Window(
        name="budget",
        fault=f"a limit of {TIGHT} requests in HubSpot's full 10 s, and a worker killed",
        strike=_budget,
        layout=Layout(rate_limit=TIGHT),
        settled_within_s=90.0,
    ),
)
