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

CALLS: Final = 1_500
KILLS: Final = 5
WITHIN_S: Final = 40.0
LATE_MS: Final = 150
"""How long an answer of HubSpot's is on its way, in the window of races."""
CHURN_S: Final = 0.05
LONG_AGO_MS: Final = 60_000


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

    An association moves no time of the call: only the ticket tells which read began first. Only the
    worker that backfills is far from HubSpot, so that live reads overtake its pages.
    """
    running = scene.running
    (line,) = running.links["worker-hubspot"]
    changed = 0
    async with backfills_of(running, scene.scale) as backfills:
        await backfills.import_calls(CALLS)
        links = await _imported(scene)
        ids = sorted(links)
        line.delay_ms = LATE_MS
        run = await backfills.start()
        while (await backfills.look(run)).state != "finished":
            seen = (await backfills.look(run)).seen
            changed += await _churn(scene, links, ids[seen : seen + 200])
            await asyncio.sleep(CHURN_S)
        line.heal()
    return Proof(count=changed, what="associations changed beside the page being read", needed=50)


async def _imported(scene: Scene) -> dict[int, int]:
    """Return the imported calls, which nothing else happens to, each without a deal: 0."""
    truth = await scene.hubspot.truth(scene.running.portal_id)
    latest = max(call.changed_at for call in truth.values())
    return {int(call.id): 0 for call in truth.values() if call.changed_at < latest - LONG_AGO_MS}


async def _churn(scene: Scene, links: dict[int, int], beside: list[int]) -> int:
    """Give some of the calls a deal, and take that of others."""
    deeds: list[Deed] = []
    for call_id in scene.rng.sample(beside, k=min(12, len(beside))):
        if held := links[call_id]:
            deeds.append(Dissociate(call_id, "deals", held))
            links[call_id] = 0
        else:
            links[call_id] = scene.rng.randrange(1, 10**6)
            deeds.append(Associate(call_id, "deals", links[call_id]))
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
        layout=Layout(linked=True, collectors=1),
    ),
    Window(
        name="budget",
        fault=f"a limit of {TIGHT} requests in HubSpot's full 10 s, and a worker killed",
        strike=_budget,
        layout=Layout(rate_limit=TIGHT),
        settled_within_s=90.0,
    ),
)
