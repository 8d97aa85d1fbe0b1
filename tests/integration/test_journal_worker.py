"""The journal read by real workers: after outages, through kills, over gaps.

Our waits are cut to `SCALED`; nothing is reconciled or backfilled unless the journal asks for it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from jobs.journal.place import Place, Reading
from jobs.reconciliation.store import Reconciliations
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.messages import Create, Update
from tests.simulator.switchboard import Fault
from tests.support.fleet import Fleet, Plan, fleet
from tests.support.invariants import assert_invariants, by_call
from tests.support.program import Program
from tests.support.redis import MakeRedis
from tests.support.trouble import SCALED, assert_sound_logs
from tests.support.waiting import until
from tests.support.wrong import wrong_calls

pytestmark = pytest.mark.one_redis

DAY_MS = 86_400_000
SETTLED_WITHIN_S = 60.0
JOURNAL_ONLY = {**SCALED, "RECONCILE_EVERY": "30d", "BACKFILL_ON_CONNECT": "none"}
SUBSCRIPTIONS = 5
"""Three of the account, two of the app's life cycle."""
TITLE = {"hs_call_title": "Discovery Call"}
PLAN = Plan(
    journal=True,
    environ=JOURNAL_ONLY,
    knobs={"journal_every_ms": 100, "retry_span_ms": 500},
)


def place(running: Fleet) -> Place:
    """Return where the deployment's reading stands."""
    client_id = running.running.journal_client_id
    return Place(running.redis, running.plan.namespace, Timing(), client_id)


async def looked(running: Fleet, is_so: Callable[[Reading], bool], timeout_s: float = 90) -> None:
    """Wait until the reading stands like that."""

    async def is_there() -> bool:
        return is_so(await place(running).look())

    await until(is_there, timeout_s=timeout_s)


async def caught_up(running: Fleet) -> None:
    """Wait until somebody has read all that is in the journal by now."""
    await running.hubspot.clock(move_ms=200)
    # Twice: the first one may have been asked for before the last file was published.
    for _ in range(2):
        since = (await place(running).look()).caught_up_at or 0

        def is_later(now: Reading, since: int = since) -> bool:
            return (now.caught_up_at or 0) > since

        await looked(running, is_later)


async def end(programs: list[Program]) -> None:
    """Kill them all at once."""
    await asyncio.gather(*(program.kill() for program in programs))


async def begin(programs: list[Program]) -> None:
    """Start them all."""
    await asyncio.gather(*(program.start() for program in programs))


async def erase(running: Fleet, call_id: int) -> None:
    """Delete a call for privacy."""
    url = f"{running.running.url}/crm/objects/2026-03/calls/gdpr-delete"
    headers = {"Authorization": f"Bearer {running.running.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(url, json={"objectId": str(call_id)}) as answer,
    ):
        answer.raise_for_status()


async def known_calls(running: Fleet, count: int) -> list[int]:
    """Log calls that are on the stream before this returns, once the journal is subscribed to."""
    await looked(running, lambda now: now.subscriptions == SUBSCRIPTIONS)
    ids = await running.hubspot.do(*[Create(properties=TITLE)] * count)
    await running.settle(SETTLED_WITHIN_S)
    await caught_up(running)
    await running.settle(SETTLED_WITHIN_S)
    return ids


async def live_through_three_days(running: Fleet, known: list[int]) -> None:
    """Let everything happen that can happen to calls, within three days."""
    hubspot, left = running.hubspot, iter(known)
    days: list[Callable[[], Awaitable[object]]] = [
        lambda: hubspot.do(*[Create(properties=TITLE)] * 20),
        lambda: hubspot.do(*[Update(next(left), {"hs_call_title": "Changed"}) for _ in range(20)]),
        lambda: hubspot.archive(next(left)),
        lambda: hubspot.associate(next(left), "contacts", 4_711),
        lambda: hubspot.purge(next(left)),
        lambda: erase(running, next(left)),
        lambda: hubspot.merge(next(left), next(left)),
    ]
    back = next(left)
    await hubspot.archive(back)
    for number, deed in enumerate(days):
        await deed()
        if number in {1, 4}:
            await hubspot.clock(move_ms=DAY_MS)
    await hubspot.restore(back)
    await hubspot.update(back, {"hs_call_title": "Back"})
    await hubspot.clock(move_ms=DAY_MS - 60_000)


async def test_three_days_without_us_come_back(tmp_path: Path, make_redis: MakeRedis) -> None:
    """Nothing of ours ran for three days and every notification was lost: the journal has it all.

    The stand-in's log of requests has no search and no listing.
    """
    async with fleet(PLAN, tmp_path, make_redis()) as running:
        known = await known_calls(running, 60)
        ours = [*running.services, *running.workers]
        await end(ours)
        before = (await running.hubspot.requests()).accounts[running.portal_id].by_operation
        delivered = (await running.hubspot.deliveries()).tally.delivered
        told = await running.redis.xlen(f"{running.plan.namespace}:calls:{{0}}")
        await live_through_three_days(running, known)
        await running.hubspot.quiet(timeout_s=60)
        tally = (await running.hubspot.deliveries()).tally
        assert tally.delivered == delivered
        assert tally.given_up > 40
        await begin(ours)
        await running.ready()
        await caught_up(running)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert wrong_calls(evidence) == set()
        assert_invariants(evidence)
        assert len(evidence.events) >= told + 46
        assert {event.data.origin for event in evidence.events[told:]} == {"journal"}
        asked = evidence.counts.by_operation
        assert not {"calls.search", "calls.list"} & asked.keys(), asked
        assert asked["calls.batch_read"] - before["calls.batch_read"] < 40
        assert_sound_logs(ours)


async def test_a_privacy_deletion_is_told_without_its_call(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """The event of a call that was deleted for privacy is `deleted` and has no call in it."""
    async with fleet(PLAN, tmp_path, make_redis()) as running:
        known = await known_calls(running, 3)
        await running.hubspot.turn(drop_share=1.0)
        await erase(running, known[1])
        await caught_up(running)
        evidence = await running.settle(SETTLED_WITHIN_S)
        last = by_call(evidence)[str(known[1])][-1]
        assert last.type == "callstream.call.deleted"
        assert (last.data.call, last.data.merged_into) == (None, None)
        assert last.data.origin == "journal"
        assert "privacyDeletion" in {change.kind for change in last.data.changes}
        assert_invariants(evidence)


async def test_the_lease_moves_when_the_reader_is_killed(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """A reader that is killed is followed by another worker, from the file it was at."""
    async with fleet(PLAN, tmp_path, make_redis()) as running:
        await known_calls(running, 3)
        await running.hubspot.turn(drop_share=1.0)
        reader = await place(running).look()
        assert reader.reader is not None
        (killed,) = [one for one in running.workers if f"-{one.pid}-" in reader.reader]
        await killed.kill()
        await running.hubspot.do(*[Create(properties=TITLE)] * 50)
        await looked(running, lambda now: now.reader not in {None, reader.reader})
        follower = (await place(running).look()).reader or ""
        (survivor,) = [one for one in running.workers if one is not killed]
        assert f"-{survivor.pid}-" in follower
        await caught_up(running)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert len(evidence.truth) == 53
        assert wrong_calls(evidence) == set()
        assert_invariants(evidence)


async def test_readers_that_are_killed_pass_nothing_over(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """Workers are killed again and again amid a long journal: every change is on the stream."""
    knobs = {**PLAN.knobs, "journal_file_size": 2, "latency_ms": 20}
    plan = Plan(journal=True, environ=JOURNAL_ONLY, knobs=knobs)
    async with fleet(plan, tmp_path, make_redis()) as running:
        await known_calls(running, 3)
        await running.hubspot.turn(drop_share=1.0)
        await end(running.workers)
        before = (await place(running).look()).files
        ids = await running.hubspot.do(*[Create(properties=TITLE)] * 150)
        await running.hubspot.do(*[Update(one, {"hs_call_title": "Changed"}) for one in ids])
        await running.hubspot.clock(move_ms=200)
        await begin(running.workers)
        places: list[int] = []
        for _ in range(4):
            done = before + max(places, default=0)

            def has_read(now: Reading, done: int = done) -> bool:
                return now.reader is not None and now.files > done

            await looked(running, has_read)
            reader = (await place(running).look()).reader or ""
            (worker,) = [one for one in running.workers if f"-{one.pid}-" in reader]
            await worker.kill()
            places.append((await place(running).look()).files - before)
            await worker.start()
        assert max(places) < 150
        await caught_up(running)
        evidence = await running.settle(SETTLED_WITHIN_S)
        print(f"killed after {places} files")  # noqa: T201 - the figures of the run
        assert len(evidence.truth) == 153
        assert wrong_calls(evidence) == set()
        assert_invariants(evidence)


async def test_a_gap_becomes_a_round(tmp_path: Path, make_redis: MakeRedis) -> None:
    """What the journal kept no longer is found by a full round that it asks for by itself."""
    async with fleet(PLAN, tmp_path, make_redis()) as running:
        known = await known_calls(running, 40)
        ours = [*running.services, *running.workers]
        await end(ours)
        await live_through_three_days(running, known)
        await running.hubspot.clock(move_ms=2 * DAY_MS)
        await running.hubspot.quiet(timeout_s=60)
        await running.hubspot.turn(search_delay_ms=100, search_limit=1_000)
        await begin(ours)
        await running.ready()
        await looked(running, lambda now: now.gaps == 1)
        store = Reconciliations(running.redis, running.plan.namespace, Timing())

        async def is_done() -> bool:
            standing = await store.standing(running.portal_id)
            return standing.last is not None and standing.last.state == "finished"

        await until(is_done, timeout_s=60)
        evidence = await running.settle(SETTLED_WITHIN_S)
        assert wrong_calls(evidence) == set()
        assert_invariants(evidence)


async def test_an_uninstall_ends_the_reading_of_an_account(
    tmp_path: Path, make_redis: MakeRedis
) -> None:
    """An account that uninstalled the app is closed; its marks stay, and nothing is asked of it."""
    async with fleet(PLAN, tmp_path, make_redis()) as running:
        await known_calls(running, 3)
        hubspot, portal_id = running.hubspot, running.portal_id
        await hubspot.fault(Fault(effect="status", status=401, portal_id=portal_id))
        await hubspot.install(installed=False, portal_id=portal_id)
        await hubspot.clock(move_ms=200)
        key = f"{running.plan.namespace}:ledger:{portal_id}"

        async def is_closed() -> bool:
            return await command(running.redis, "HGET", key, "open") == b"0"

        await until(is_closed, timeout_s=60)
        assert await command(running.redis, "HGET", key, "why") == b"the app was uninstalled"
        await hubspot.reset_counts()
        await asyncio.sleep(1)
        counts = (await hubspot.requests()).accounts.get(portal_id)
        assert counts is None or not counts.by_operation
