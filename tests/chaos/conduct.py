"""Conducts one window: load, fault, load, quiet, the six invariants, the verdict."""

import asyncio
import contextlib
import random
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.reconciliation.store import Reconciliations
from jobs.timing import Timing
from tests.chaos.canary import canary_of
from tests.chaos.deployment import PARTITIONS, Deployment, Layout, deployed
from tests.chaos.history import histories
from tests.chaos.rounds import ask_for_round, finish_standing
from tests.chaos.scene import Scene
from tests.chaos.tail import tail_of
from tests.chaos.verdict import LOST, Findings, Load, Result, complaint, findings
from tests.chaos.window import RATE_LIMIT, Proof, Window
from tests.simulator.control import ControlError
from tests.support.evidence import Evidence, read_dead, read_events
from tests.support.outstanding import Outstanding, drained, outstanding

DISORDER: Final = {
    "duplicate_share": 0.05,
    "late_share": 0.1,
    "late_within_ms": 500,
    "spread_ms": 50,
    "retry_span_ms": 16_000,
    "search_delay_ms": 100,
    "search_limit": 1_000,
    "latency_ms": 20,
}
"""How HubSpot is in every window: repeated, late and scattered notifications, a day of retries
within 16 s, and the search that rounds need not hampered."""
SETTINGS: Final = {"STREAM_PARTITIONS": str(PARTITIONS), "RECONCILE_EVERY": "1h"}
"""Of every window: what mends must be the protections, not the next reconciliation."""
STILL_S: Final = 0.4
"""The ledger is empty if it is so twice, this far apart."""


async def conduct(window: Window, seed: int) -> Result:
    """Run one window on a deployment of its own."""
    with tempfile.TemporaryDirectory(prefix="callstream-chaos-") as folder:
        async with deployed(_layout(window, seed), Path(folder)) as running:
            return await _conduct(window, seed, running)


def _layout(window: Window, seed: int) -> Layout:
    given = window.layout
    environ = {"TIMING_SCALE": str(window.scale), **SETTINGS, **given.environ}
    return msgspec.structs.replace(
        given,
        services=2,
        workers=3,
        seed=seed,
        rate_limit=min(given.rate_limit, RATE_LIMIT),
        namespace="chaos",
        knobs={**DISORDER, **given.knobs},
        environ=environ,
    )


async def _conduct(window: Window, seed: int, running: Deployment) -> Result:
    began, began_ms = time.monotonic(), time.time_ns() // 1_000_000
    async with contextlib.AsyncExitStack() as stack:
        canaries = [await stack.enter_async_context(canary_of("ledger", running.redis_url))]
        if running.streams_server is not None:
            canaries.append(
                await stack.enter_async_context(canary_of("streams", running.streams_url))
            )
        tail = await stack.enter_async_context(
            tail_of(running.streams_url, running.plan.namespace, PARTITIONS)
        )
        rng = random.Random(f"{seed}/{window.name}")
        scene = Scene(running, canaries, tail, rng, window.scale, stack)
        proof, load = await _under_load(window, scene)
        mended_ms = scene.over_ms
        evidence = await _settled(window, scene)
        promise = window.promise or ("exact" if all(c.kept for c in canaries) else "round")
        before = _findings(scene, evidence)
        after, round_by = None, ""
        if promise == "round" and before.lost + before.other:
            after, evidence, round_by = await _rounds(window, scene)
        tally = (await scene.hubspot.deliveries()).tally
        load = msgspec.structs.replace(
            load, deliveries=tally.requests, failed=tally.failed_requests, given_up=tally.given_up
        )
        doubt = load.doubt()
        if not doubt and proof.count < proof.needed and (after or before).none:
            # What broke without the fault is broken all the same.
            doubt = f"fault not delivered: {proof.count} of {proof.needed} {proof.what}"
        whole = (after or before).none
        errors, lines = _logs(running)
        lost = [line for name in LOST for line in (after or before).named.get(name, ())]
        return Result(
            window=window.name,
            fault=window.fault,
            seed=seed,
            scale=window.scale,
            status="DISCARDED" if doubt else "VALID",
            why=doubt or complaint(promise, before, after, len(scene.manual)),
            delivered=proof,
            promise=promise,
            losses={canary.name: canary.losses for canary in canaries},
            silent_s=round(max(canary.silent_s for canary in canaries), 3),
            before_round=before,
            after_round=after,
            round_by=round_by,
            manual=scene.manual,
            first_event_s=_since(mended_ms, tail.first_after(mended_ms)),
            whole_s=_since(mended_ms, _whole_at(scene, evidence, mended_ms)) if whole else None,
            load=load,
            histories=await histories(scene, began_ms, lost),
            events=len(evidence.events),
            log_errors=errors,
            log_lines=lines,
            took_s=round(time.monotonic() - began, 1),
        )


async def _under_load(window: Window, scene: Scene) -> tuple[Proof, Load]:
    """Strike under load; return the proof of the fault, and what the load was."""
    hubspot, running = scene.hubspot, scene.running
    began, cpu_s = time.monotonic(), (await hubspot.usage()).cpu_s
    await hubspot.traffic(window.rate)
    await asyncio.sleep(window.calm_s)
    proof = await window.strike(scene)
    if not scene.over_ms:
        scene.over()
    await scene.revive()
    await asyncio.sleep(window.calm_s)
    await hubspot.traffic(0)
    lasted_s = time.monotonic() - began
    cpu_s = (await hubspot.usage()).cpu_s - cpu_s
    load = Load(
        changes=len(await hubspot.changes(running.portal_id)),
        expected=window.rate * lasted_s,
        cpu_share=round(cpu_s / lasted_s, 3),
    )
    return proof, load


async def _settled(window: Window, scene: Scene) -> Evidence:
    """Wait until nothing is left to do, or for as long as may be, and return the evidence."""
    running = scene.running
    space, portal_id = running.plan.namespace, running.portal_id
    deadline = time.monotonic() + window.settled_within_s
    left = Outstanding()
    while time.monotonic() < deadline:
        await scene.revive()
        with contextlib.suppress(ControlError):  # notifications wait yet
            await scene.hubspot.quiet(timeout_s=5)
            left = await drained(running.redis, space, portal_id, 5)
            if not left.work:
                await asyncio.sleep(STILL_S)
                left = await outstanding(running.redis, space, portal_id)
                if not left.work:
                    break
    events, unreadable = await read_events(running.streams, space)
    requests = await scene.hubspot.requests()
    return Evidence(
        truth=await scene.hubspot.truth(portal_id),
        events=events,
        outstanding=left,
        counts=requests.accounts[portal_id],
        rate_limit=running.plan.rate_limit,
        properties=DOCUMENTED_PROPERTIES,
        associations=Settings().call_associations,
        dead=frozenset(await read_dead(running.redis, space)),
        unreadable=unreadable,
    )


async def _rounds(window: Window, scene: Scene) -> tuple[Findings, Evidence, str]:
    """Wait for the rounds that mend; return what is broken even so, and who asked for the last."""
    running = scene.running
    timing = Timing().scaled(window.scale)
    store = Reconciliations(running.redis, running.plan.namespace, timing)
    by = "itself"
    if not await finish_standing(store, running.portal_id):
        by = await ask_for_round(store, running.portal_id)
    evidence = await _settled(window, scene)
    found = _findings(scene, evidence)
    if by == "itself" and not found.none:
        by = await ask_for_round(store, running.portal_id)
        evidence = await _settled(window, scene)
        found = _findings(scene, evidence)
    return found, evidence, by


def _findings(scene: Scene, evidence: Evidence) -> Findings:
    forgot = not all(canary.kept for canary in scene.canaries)
    return findings(evidence, [*scene.tail.backwards()], scene.broken, forgot=forgot)


def _whole_at(scene: Scene, evidence: Evidence, mended_ms: int) -> int:
    """Return when the last call was told of that had changed before the fault was over."""
    told = scene.tail.last_of_each()
    changed = (call.id for call in evidence.truth.values() if call.changed_at <= mended_ms)
    return max([mended_ms, *(told[call_id] for call_id in changed if call_id in told)])


def _since(mended_ms: int, at_ms: int | None) -> float | None:
    return None if at_ms is None else round((at_ms - mended_ms) / 1000, 2)


def _logs(running: Deployment) -> tuple[int, int]:
    """Return how many lines are errors, and the most lines that a process printed."""
    errors, most = 0, 0
    for program in running.programs:
        lines = program.text().splitlines()
        most = max(most, len(lines))
        errors += sum('"level":"error"' in line or "Traceback" in line for line in lines)
    return errors, most
