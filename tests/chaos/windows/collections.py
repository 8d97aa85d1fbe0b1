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
LATENCY_MS: Final = 30
STALLED_S: Final = 0.5
"""With the latency less than a request may take, scaled."""
LATE: Final = 5
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
    """Freeze who reads pages while calls of the page change, so that live reads overtake it.

    What HubSpot answered waits in a socket until the reader goes on. An association moves no time
    of the call: only the ticket tells which read began first.
    """
    running = scene.running
    async with backfills_of(running, scene.scale) as backfills:
        await backfills.import_calls(CALLS)
        links = await _imported(scene)
        ids = sorted(links)
        run = await backfills.start()
        for page in range(len(ids) // 100 - 2):
            await backfills.pages(run, page, timeout_s=WITHIN_S)
            done = (await backfills.look(run)).pages
            for collector in running.collectors:
                await collector.pause()
            await asyncio.sleep(2 * LATENCY_MS / 1000)
            await _churn(scene, links, ids[100 * done : 100 * done + 100])
            await asyncio.sleep(STALLED_S)
            for collector in running.collectors:
                await collector.resume()
        run = await backfills.ended(run, timeout_s=WITHIN_S)
    return Proof(count=run.marked, what="calls whose page came too late", needed=LATE)


async def _imported(scene: Scene) -> dict[int, int]:
    """Return the imported calls, which nothing else happens to, each without a deal: 0."""
    truth = await scene.hubspot.truth(scene.running.portal_id)
    latest = max(call.changed_at for call in truth.values())
    return {int(call.id): 0 for call in truth.values() if call.changed_at < latest - LONG_AGO_MS}


async def _churn(scene: Scene, links: dict[int, int], beside: list[int]) -> int:
    """Give some of the calls a deal, and take that of others."""
    deeds: list[Deed] = []
    for call_id in scene.rng.sample(beside, k=min(25, len(beside))):
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
    """Have more to ask than the limit allows, and kill a worker that knew what was spent."""
    running = scene.running
    async with backfills_of(running, scene.scale) as backfills:
        await backfills.import_calls(CALLS)
        before = sum((await _counts(scene)).values())
        await backfills.start()
        await scene.moment()
        await scene.kill(running.workers[0])
        await asyncio.sleep(TIGHT_S)
    asked = sum((await _counts(scene)).values()) - before
    return Proof(count=asked, what="requests, against a limit that was felt", needed=TIGHT // 2)


async def _counts(scene: Scene) -> dict[str, int]:
    return (await scene.hubspot.requests()).accounts[scene.running.portal_id].by_operation


TIGHT: Final = 60
"""Requests per 10 s: far less than there is to ask."""
TIGHT_S: Final = 10.0

WINDOWS: Final = (
    Window(
        name="backfill-sigkill",
        fault=f"SIGKILL of a worker up to {KILLS} times while a backfill runs",
        strike=_kill_in_backfill,
        layout=Layout(knobs={"latency_ms": LATENCY_MS}),
    ),
    Window(
        name="backfill-races",
        fault="the reader of pages frozen, again and again, while calls of its page change",
        strike=_race_with_backfill,
        layout=Layout(collectors=1, knobs={"latency_ms": LATENCY_MS}),
    ),
    Window(
        name="budget",
        fault=f"a backfill against {TIGHT} requests in HubSpot's full 10 s, a worker killed",
        strike=_budget,
        layout=Layout(rate_limit=TIGHT),
        settled_within_s=90.0,
    ),
)
