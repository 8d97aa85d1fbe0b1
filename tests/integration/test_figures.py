"""The figures of `callstream status`, on what really lies in Redis."""

from pathlib import Path

import msgspec
import pytest
from callstream_client import keys
from redis.asyncio import Redis

from jobs.accounts.listing import Account
from jobs.backfill.runs import Runs
from jobs.config.settings import Settings
from jobs.journal.place import Place
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.reconciliation.missed import Miss, Missed
from jobs.reconciliation.runs import Run, Standing
from jobs.reconciliation.store import Reconciliations
from jobs.redis import command
from jobs.timing import Timing
from service.figures import Desk, Figures, NoSuchAccountError, waiting, workers
from tests.support.commands import CALLSTREAM, run_command

MARK = Mark(62515, "512", (Hint("creation", 1),))


def settings(namespace: str, **more: object) -> Settings:
    """Return the settings of a deployment in the namespace."""
    return msgspec.structs.replace(Settings(namespace=namespace), **more)


async def read(redis: Redis, namespace: str, **more: object) -> Figures:
    """Return the figures."""
    return await Desk(redis, redis, settings(namespace, **more)).figures()


async def only_account(redis: Redis, namespace: str) -> Account:
    """Return the one account that there is."""
    (only,) = (await read(redis, namespace, hubspot_portal_id=62515)).accounts
    return only.account


def _letter() -> DeadLetter:
    return DeadLetter(reason="malformed-notification", error="no object id", raw=b"{}")


async def test_an_empty_redis_has_empty_figures(redis: Redis, namespace: str) -> None:
    """Where nothing ever happened every figure is zero."""
    figures = await read(redis, namespace)
    assert figures == Figures(at=figures.at, queued={"live": 0, "collections": 0})


async def test_calls_of_an_unknown_account_are_shown(redis: Redis, namespace: str) -> None:
    """Marks of an account that is not connected are counted, and the account shown as such."""
    await Ledger(redis, namespace, Timing()).mark([MARK])
    account = await only_account(redis, namespace)
    assert (account.portal_id, account.state) == (62515, "unknown")
    assert (account.due, account.leased) == (1, 0)


async def test_due_and_leased_calls_are_counted(redis: Redis, namespace: str) -> None:
    """A claimed call counts as leased, one marked since as due; both are waiting."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.connect(62515)
    await ledger.mark([MARK])
    await ledger.claim(62515)
    await ledger.mark([Mark(62515, "513", ())])
    account = await only_account(redis, namespace)
    assert (account.state, account.due, account.leased) == ("connected", 1, 1)
    assert await waiting(redis, namespace) == 2


async def test_a_sleeping_account_is_shown_with_its_reason(redis: Redis, namespace: str) -> None:
    """An account that is asleep has its waking time and why; once awake neither counts."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.connect(62515)
    await ledger.sleep(62515, 60_000, "unauthorised")
    account = await only_account(redis, namespace)
    assert account.asleep_until
    assert (account.state, account.why) == ("asleep", "unauthorised")
    await ledger.wake(62515)
    account = await only_account(redis, namespace)
    assert (account.state, account.asleep_until) == ("connected", None)


async def test_workers_and_dead_letters_are_counted(redis: Redis, namespace: str) -> None:
    """Workers that were heard of, and dead letters, are counted."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.beat("a", 20)
    await ledger.mark([], [_letter()])
    assert await workers(redis, namespace) == 1
    assert (await read(redis, namespace)).dead_letters == 1


async def test_streams_tell_their_groups(redis: Redis, namespace: str) -> None:
    """Each partition tells its length, its last entry, and its groups with what they hold."""
    await command(redis, "HSET", keys.meta(namespace), keys.META_PARTITIONS, "2")
    first = keys.stream(namespace, 0)
    await redis.xadd(first, {"id": "x"}, id="1-1")
    await redis.xadd(first, {"id": "y"}, id="2-1")
    await redis.xgroup_create(first, "crm", id="0")
    await redis.xreadgroup("crm", "one", {first: ">"}, count=1)
    one, two = (await read(redis, namespace)).streams
    assert (one.key, one.length, one.last_id) == (first, 2, "2-1")
    (group,) = one.groups
    assert (group.name, group.consumers, group.pending) == ("crm", 1, 1)
    assert group.lag in {None, 1}
    assert (two.key, two.length) == (keys.stream(namespace, 1), 0)


async def test_status_prints_them(
    redis: Redis, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """`callstream status` prints the figures, as JSON where that is asked for, status 0."""
    await Ledger(redis, namespace, Timing()).mark([MARK])
    environ = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
    shown = run_command([*CALLSTREAM, "status"], tmp_path, **environ)
    assert shown.returncode == 0
    assert "62515" in shown.stdout
    assert "unknown" in shown.stdout
    told = run_command([*CALLSTREAM, "status", "--json"], tmp_path, **environ)
    assert msgspec.json.decode(told.stdout, type=Figures).accounts[0].account.due == 1
    assert told.stderr == ""


MISS = Miss(call_id="512", found="search", found_at=1, age_ms=7_000, at_most=False)


async def test_an_account_is_told_in_full(redis: Redis, namespace: str) -> None:
    """An account comes with its watermark, its run, each missed call's age, and its backfills."""
    timing = Timing()
    await Ledger(redis, namespace, timing).connect(62515)
    store = Reconciliations(redis, namespace, timing)
    await store.take(62515, "worker")
    run = Run(id="r", portal_id=62515, kind="full", since=1, step="live")
    await store.keep(62515, "worker", Standing(watermark=1_705_316_400_000, run=run))
    await Missed(redis, namespace).note(62515, [MISS])
    started = await Runs(redis, namespace, timing).start(62515, "live")
    (only,) = (await read(redis, namespace)).accounts
    assert only.reconciled is not None
    assert (only.reconciled.watermark, only.reconciled.run) == (1_705_316_400_000, run)
    assert only.reconciled.missed.latest == (MISS,)
    assert [report.id for report in only.backfills] == [started.run.id]


async def test_the_worst_come_first_and_the_others_are_counted(
    redis: Redis, namespace: str
) -> None:
    """Of many accounts the worst are told, the others counted; the totals are those of all."""
    timing = Timing()
    ledger = Ledger(redis, namespace, timing)
    for portal_id in range(1, 31):
        await ledger.connect(portal_id)
    await ledger.mark([Mark(20, "1", ()), Mark(20, "2", ()), Mark(10, "1", ())])
    await ledger.sleep(15, 60_000, "unauthorised")
    await ledger.sleep(16, 60_000, "budget")
    await ledger.disconnect(25, "the app was uninstalled")
    queue = f"{namespace}:callstream:collections"
    await Reconciliations(redis, namespace, timing).due("worker", queue, range(1, 31), 60_000)
    await Missed(redis, namespace).note(5, [MISS])
    desk = Desk(redis, redis, settings(namespace))
    figures = await desk.figures(most=6)
    told = [one.account.portal_id for one in figures.accounts]
    assert told == [25, 15, 5, 20, 10, 1]
    assert figures.others == 24
    totals = figures.totals
    assert (totals.connected, totals.asleep, totals.disconnected) == (27, 2, 1)
    assert (totals.due, totals.missed) == (3, 1)
    named = await desk.figures(portal_id=30)
    assert [one.account.portal_id for one in named.accounts] == [30]
    assert (named.others, named.totals) == (29, totals)
    with pytest.raises(NoSuchAccountError):
        await desk.figures(portal_id=31)


async def test_the_journal_tells_its_place_lag_and_gaps(redis: Redis, namespace: str) -> None:
    """Who reads, up to when, how far behind, and what was lost; nothing without an app for it."""
    assert (await read(redis, namespace)).journal is None
    place = Place(redis, namespace, Timing(), "app")
    empty = (await read(redis, namespace, journal_client_id="app")).journal
    assert empty is not None
    assert (empty.reader, empty.offset, empty.lag_ms, empty.gaps) == (None, "", None, 0)
    await place.hold("worker")
    figures = await read(redis, namespace, journal_client_id="app")
    await place.move("", "one", published_at=figures.at - 60_000)
    behind = (await read(redis, namespace, journal_client_id="app")).journal
    assert behind is not None
    assert (behind.reader, behind.offset, behind.files) == ("worker", "one", 1)
    assert behind.read_to == figures.at - 60_000
    assert behind.lag_ms is not None
    assert 60_000 <= behind.lag_ms < 70_000
    await place.rest("another")
    assert (await place.look()).caught_up_at is None
    await place.rest("worker")
    await place.move("one", "")
    lost = (await read(redis, namespace, journal_client_id="app")).journal
    assert lost is not None
    assert (lost.offset, lost.gaps) == ("", 1)
    assert lost.gap_at
    assert lost.lag_ms is not None
    assert lost.lag_ms < 10_000


@pytest.mark.one_redis
async def test_ten_thousand_accounts_are_told_in_time(
    redis: Redis, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """However many accounts there are, a screenful is printed, and Redis is asked in bulk."""
    pipeline = redis.pipeline(transaction=False)
    for portal_id in range(1, 10_001):
        pipeline.hset(f"{namespace}:ledger:{portal_id}", mapping={"open": 1, "connected_at": 1})
        pipeline.zadd(f"{namespace}:ledger:portals", {str(portal_id): 1})
        pipeline.zadd(f"{namespace}:reconciliation:due", {str(portal_id): 1})
        pipeline.hset(f"{namespace}:reconciliation:{portal_id}", "watermark", "1")
    await pipeline.execute()
    before = msgspec.convert(await redis.info("stats"), dict[str, object])
    figures = await read(redis, namespace)
    assert (len(figures.accounts), figures.others) == (20, 9_980)
    assert len(msgspec.json.encode(figures)) < 50_000
    after = msgspec.convert(await redis.info("stats"), dict[str, object])
    name = "total_reads_processed"
    assert int(str(after[name])) - int(str(before[name])) < 1_000
    environ = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
    shown = run_command([*CALLSTREAM, "status"], tmp_path, **environ)
    assert "9,980 more accounts" in shown.stdout
    assert "10,000 connected" in shown.stdout
    assert len(shown.stdout.splitlines()) < 80


async def test_an_unknown_account_is_no_status(
    redis: Redis, redis_url: str, namespace: str, tmp_path: Path
) -> None:
    """`callstream status --portal` of an account that nobody knows fails in one line."""
    del redis
    environ = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
    failed = run_command([*CALLSTREAM, "status", "--portal", "5"], tmp_path, **environ)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.splitlines() == ["callstream: nothing is known of account 5"]
