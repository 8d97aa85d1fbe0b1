"""A round on a whole deployment: what was silenced is on the stream afterwards, and counted.

HubSpot keeps back all notifications of 5 % of the changes; calls are logged, edited, associated,
archived, restored, merged and purged. Our waits are cut to `SCALED`.
"""

import asyncio
from pathlib import Path

import pytest

from jobs.reconciliation.missed import Missed, MissedFigures
from jobs.reconciliation.runs import Ask, Run
from jobs.reconciliation.store import Reconciliations
from jobs.timing import Timing
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.invariants import assert_invariants
from tests.support.redis import MakeRedis
from tests.support.trouble import SCALED, assert_sound_logs
from tests.support.wrong import wrong_calls

pytestmark = pytest.mark.one_redis

RATE = 100.0
"""Changes per second."""
GAPS = 10
GAP_S = 0.05
SETTLED_WITHIN_S = 60.0
ROUND_WITHIN_S = 60.0
SEARCHABLE = {"search_delay_ms": 100, "search_limit": 1_000}
QUIETLY = {**SCALED, "RECONCILE_EVERY": "1h"}
"""Only what a test asks for is reconciled."""


class Account:
    """The deployment's account, as reconciliation sees it."""

    def __init__(self, running: Fleet) -> None:
        self._running = running
        namespace = running.plan.namespace
        self._store = Reconciliations(running.redis, namespace, Timing())
        self._missed = Missed(running.redis, namespace)

    async def missed(self) -> MissedFigures:
        """Return what was missed so far."""
        return await self._missed.figures(self._running.portal_id)

    async def begin_round(self) -> str:
        """Ask for a round."""
        return await self._store.ask(self._running.portal_id, Ask(id="round", full=True))

    async def at_work(self) -> list[str]:
        """Return the step of the run at work, nothing if there is none."""
        run = (await self._store.standing(self._running.portal_id)).run
        return [] if run is None else [run.step]

    async def end_of(self, run_id: str) -> Run:
        """Wait until the run has ended.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(ROUND_WITHIN_S):
            while True:
                standing = await self._store.standing(self._running.portal_id)
                if standing.last is not None and standing.last.id == run_id:
                    return standing.last
                await asyncio.sleep(0.05)


async def live_with_gaps(running: Fleet) -> None:
    """Let life go on for a while, and HubSpot keep silent for a twentieth of it."""
    await running.hubspot.traffic(RATE)
    for _ in range(GAPS):
        await asyncio.sleep(GAP_S * 19)
        await running.hubspot.turn(drop_share=1.0)
        await asyncio.sleep(GAP_S)
        await running.hubspot.turn(drop_share=0.0)
    await running.hubspot.traffic(0)


async def change_untold(running: Fleet) -> None:
    """Make one change of every kind, each to calls of its own, that no notification tells of."""
    hubspot = running.hubspot
    truth = await hubspot.truth(running.portal_id)
    live = [int(call.id) for call in truth.values() if call.state == "live"]
    archived = [int(call.id) for call in truth.values() if call.state == "archived"]
    await hubspot.turn(drop_share=1.0)
    await hubspot.archive(live.pop())
    await hubspot.archive(live[-1])
    await hubspot.purge(live.pop())
    await hubspot.restore(archived.pop())
    await hubspot.merge(live.pop(), live.pop())
    await hubspot.associate(live.pop(), "contacts", 4_711)
    await hubspot.update(live.pop(), {"hs_call_title": "Nobody tells"})
    await hubspot.create({"hs_call_title": "Nobody told"})
    await hubspot.turn(drop_share=0.0)


async def test_a_round_finds_all_that_was_silenced(tmp_path: Path, make_redis: MakeRedis) -> None:
    """After one round the stream equals HubSpot, and as many calls were missed as were wrong."""
    plan = Plan(knobs=SEARCHABLE, environ=QUIETLY)
    async with fleet(plan, tmp_path, make_redis()) as running:
        account = Account(running)
        await live_with_gaps(running)
        await change_untold(running)
        before = await running.settle(SETTLED_WITHIN_S)
        wrong = wrong_calls(before)
        already = (await account.missed()).count
        run = await account.end_of(await account.begin_round())
        assert run.state == "finished", run.why
        after = await running.settle(SETTLED_WITHIN_S)
        figures = await account.missed()
        print(  # noqa: T201 - the figures of the measurement
            f"calls {len(before.truth)}, wrong {len(wrong)}, {run.counts}, missed {figures.count}"
        )
        assert wrong_calls(after) == set()
        assert_invariants(after)
        assert len(wrong) > 20
        assert {miss.call_id for miss in figures.latest} == wrong
        assert figures.count - already == len(wrong)
        assert_sound_logs(running.programs)


async def test_a_round_goes_on_when_its_worker_is_killed(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """Workers are killed in the midst of a round, while calls change: it ends, and all is found."""
    plan = Plan(knobs={**SEARCHABLE, "latency_ms": 60}, environ=QUIETLY, workers=2)
    async with fleet(plan, tmp_path, make_redis()) as running:
        account = Account(running)
        await running.hubspot.turn(drop_share=1.0)
        await running.hubspot.bulk(1_500)
        await running.hubspot.turn(drop_share=0.0)
        await running.settle(SETTLED_WITHIN_S)
        await live_with_gaps(running)
        await change_untold(running)
        await running.hubspot.traffic(10)
        run_id = await account.begin_round()
        steps: list[str] = []
        for worker in [*running.workers, *running.workers, *running.workers]:
            await asyncio.sleep(0.4)
            steps += await account.at_work()
            await worker.kill()
            await worker.start()
        run = await account.end_of(run_id)
        await running.hubspot.traffic(0)
        assert run.state == "finished", run.why
        after = await running.settle(SETTLED_WITHIN_S)
        print(f"calls {len(after.truth)}, {run.counts}, killed at {steps}")  # noqa: T201 - as above
        assert steps
        assert wrong_calls(after) == set()
        assert_invariants(after)
