"""Processes are replaced under load: new releases, a wrong token, another list of properties."""

import asyncio
from typing import Final

import msgspec

from jobs.config.settings import DOCUMENTED_PROPERTIES
from jobs.redis import command
from tests.chaos.deployment import Layout
from tests.chaos.scene import STOPPED_WITHIN_S, Scene
from tests.chaos.window import Proof, Window
from tests.simulator.messages import Archive
from tests.support.waiting import until

DEPLOYS: Final = 2
STRANGER: Final = 777
STRANGE_S: Final = 4.0
ARCHIVED: Final = 5
FEWER: Final = tuple(name for name in DOCUMENTED_PROPERTIES if name != "hs_call_body")
"""The properties that are read before the change."""
TAKEN_UP_WITHIN_S: Final = 30.0


async def _replace_workers(scene: Scene, **settings: str) -> int:
    """Replace every worker; return how many ended with status 0."""
    scene.running.use(settings)
    ended = 0
    for worker in list(scene.running.workers):
        ended += await scene.running.replace(worker, within_s=STOPPED_WITHIN_S) == 0
        await asyncio.sleep(0.2)
    return ended


async def _roll(scene: Scene) -> Proof:
    """Replace every process, one after the other, as often as there are deployments."""
    ended = 0
    for _ in range(DEPLOYS):
        ended += await _replace_workers(scene)
        for service in list(scene.running.services):
            ended += await scene.running.replace(service, within_s=STOPPED_WITHIN_S) == 0
            await scene.running.ready()
    everything = DEPLOYS * (len(scene.running.workers) + len(scene.running.services))
    return Proof(count=ended, what="processes ended with status 0", needed=everything)


async def _mistake(scene: Scene) -> Proof:
    """Deploy workers with the token of another account, and then with the right one again.

    Calls that are archived meanwhile look gone: their notifications announce that they go, and
    another account's token finds them nowhere.
    """
    portal_id, right = scene.running.portal_id, scene.running.running.token
    stranger = await scene.hubspot.open_account(STRANGER)
    named = {"HUBSPOT_PORTAL_ID": str(portal_id)}
    await _replace_workers(scene, HUBSPOT_ACCESS_TOKEN=stranger.token, **named)
    await scene.hubspot.do(*[Archive(int(call_id)) for call_id in await _live(scene)])
    await asyncio.sleep(STRANGE_S)
    counts = (await scene.hubspot.requests()).accounts.get(STRANGER)
    await _replace_workers(scene, HUBSPOT_ACCESS_TOKEN=right, **named)
    asked = 0 if counts is None else sum(counts.by_operation.values())
    return Proof(count=asked, what="requests with the other account's token")


async def _live(scene: Scene) -> list[str]:
    """Return some live calls."""
    truth = await scene.hubspot.truth(scene.running.portal_id)
    live = [call.id for call in truth.values() if call.state == "live"]
    return scene.rng.sample(live, k=min(ARCHIVED, len(live)))


async def _other_properties(scene: Scene) -> Proof:
    """Replace every process by one that reads one more property.

    A list is given up when nobody has wanted it for ten minutes: those are taken out of its record
    by hand, which is not what this window is about.
    """
    running = scene.running
    key = f"{running.plan.namespace}:projection:{running.portal_id}"

    async def generation() -> int:
        told = await command(running.redis, "HGET", key, "generation")
        return int(msgspec.convert(told or b"0", bytes))

    before = await generation()
    await _replace_workers(scene, CALL_PROPERTIES=",".join(DOCUMENTED_PROPERTIES))

    async def is_new() -> bool:
        await command(running.redis, "HSET", key, "used_at", 0)
        return await generation() > before

    await until(is_new, timeout_s=TAKEN_UP_WITHIN_S)
    return Proof(count=await generation() - before, what="new generations of the list")


WINDOWS: Final = (
    Window(
        name="rolling-deploys",
        fault=f"{DEPLOYS} rolling deployments: every process replaced, one by one",
        strike=_roll,
    ),
    Window(
        name="wrong-token",
        fault="workers deployed with another account's token, then with the right one",
        strike=_mistake,
        settled_within_s=90.0,
    ),
    Window(
        name="projection-change",
        fault="every worker replaced by one that reads other properties",
        strike=_other_properties,
        layout=Layout(environ={"CALL_PROPERTIES": ",".join(FEWER)}),
    ),
)
