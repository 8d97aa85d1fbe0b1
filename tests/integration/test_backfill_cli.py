"""`callstream backfill`, as a user runs it, on a real Redis."""

import asyncio
import json
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from rich.console import Console

from jobs.backfill.report import Report, report_of
from jobs.backfill.runs import Runs
from jobs.hubspot.allowance import Allowance, allowance
from jobs.hubspot.budget import Budget
from jobs.ledger.ledger import Ledger
from jobs.redis import command
from jobs.timing import Timing
from service.cli.backfill.desk import line, show
from service.cli.backfill.following import bar, told
from tests.simulator.control import Control
from tests.support.commands import CALLSTREAM, run_command
from tests.support.desk import Desk
from tests.support.runs import Collector
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

PORTAL = 62515
NAMESPACE = "tenant-1"


class Command:
    """The command, on one Redis."""

    def __init__(self, url: str, folder: Path) -> None:
        self._folder = folder
        self._settings = {"REDIS_URL": url, "NAMESPACE": NAMESPACE}

    async def run(self, *arguments: str, **settings: str) -> tuple[int, str, str]:
        """Return exit status, stdout and stderr."""
        ended = await asyncio.to_thread(
            run_command,
            [*CALLSTREAM, "backfill", *arguments],
            self._folder,
            **self._settings,
            **settings,
        )
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture
def backfill(redis_url: str, redis: Redis, namespace: str, tmp_path: Path) -> Command:
    """The command on an empty Redis."""
    del redis
    assert namespace == NAMESPACE
    return Command(redis_url, tmp_path)


async def test_the_life_of_a_run(backfill: Command, redis: Redis) -> None:
    """Start, look, pause, resume with a ceiling, cancel: each prints the run, status 0."""
    await Ledger(redis, NAMESPACE, Timing()).connect(PORTAL)
    for arguments, state in (
        (["start"], "queued"),
        (["start"], "queued"),
        (["pause"], "paused"),
        (["resume", "--ceiling", "40"], "queued"),
        (["cancel"], "cancelled"),
    ):
        status, out, err = await backfill.run(*arguments, "--portal", str(PORTAL))
        assert (status, err) == (0, "")
        assert out.startswith(f"62515-live-1: {state}, 0 calls")
    status, out, _ = await backfill.run("status", "--json")
    (run,) = msgspec.json.decode(out, type=list[Report])
    assert (status, run.state, run.ceiling) == (0, "cancelled", 40)


async def test_the_only_account_need_not_be_named(
    backfill: Command, redis: Redis, namespace: str
) -> None:
    """HUBSPOT_PORTAL_ID, or the only connected account, is meant where none is named."""
    ledger = Ledger(redis, namespace, Timing())
    status, _, err = await backfill.run("start")
    assert status == 1
    assert "no account is connected" in err
    for portal_id in (PORTAL, 777):
        await ledger.connect(portal_id)
        owners = f"{namespace}:accounts:owners"
        await command(redis, "HSET", owners, f"token-{portal_id}", portal_id)
        if portal_id == PORTAL:
            status, out, _ = await backfill.run("start", "--json")
            assert (status, json.loads(out)["portal_id"]) == (0, PORTAL)
    status, _, err = await backfill.run("start")
    assert (status, err) == (2, "callstream: 2 accounts are connected: name one with --portal\n")
    status, out, _ = await backfill.run("start", "--archived", HUBSPOT_PORTAL_ID="777")
    assert (status, out.partition(":")[0]) == (0, "777-archived-2")


async def test_what_cannot_be_done_is_one_line(backfill: Command, redis: Redis) -> None:
    """Orders without a run, for an unknown account, or too late fail with one line, status 1."""
    portal = ("--portal", str(PORTAL))
    for order in ("pause", "resume", "cancel"):
        status, out, err = await backfill.run(order, *portal)
        assert (status, out) == (1, "")
        assert err == (
            "callstream: account 62515 has no backfill of live calls: callstream backfill start\n"
        )
    assert (await backfill.run("start", *portal))[0] == 1
    await Ledger(redis, NAMESPACE, Timing()).connect(PORTAL)
    await backfill.run("start", *portal)
    status, _, err = await backfill.run("resume", *portal)
    assert (status, err) == (
        1,
        "callstream: backfill 62515-live-1 is queued: it cannot be resumed\n",
    )


async def test_no_backfills_yet(backfill: Command) -> None:
    """Where none ever was there is nothing to show, which is no failure."""
    status, out, err = await backfill.run("status")
    assert (status, out, err) == (0, "", "no backfills yet: callstream backfill start\n")
    assert (await backfill.run("status", "--json"))[:2] == (0, "[]\n")


async def test_a_run_is_followed_to_its_end(
    backfill: Command, desk: Desk, control: Control
) -> None:
    """--follow waits for the end: status 0 if it was seen, 1 if the run was cancelled."""
    await control.bulk(250, portal_id=desk.portal_id)
    portal = ("--portal", str(desk.portal_id))
    collector = Collector(desk)
    following = asyncio.create_task(backfill.run("start", *portal, "--follow"))
    await until(lambda: desk.context.runs.latest(desk.portal_id, "live"))
    await collector.run()
    status, out, _ = await following
    assert status == 0
    assert "finished, 250 of 250 calls: 250 published" in out
    second = await collector.run()
    status, out, _ = await backfill.run("status", *portal, "--follow")
    assert (status, out) == (
        0,
        f"{second.id}: finished, 250 of 250 calls: nothing new, 250 unchanged\n",
    )
    status, out, _ = await backfill.run("status")
    assert (status, out) == (
        0,
        f"{second.id}: finished, 250 of 250 calls: nothing new, 250 unchanged\n",
    )
    third = await collector.start()
    await collector.backfills.cancel(third.id)
    status, out, _ = await backfill.run("status", *portal, "--follow", "--json")
    assert (status, json.loads(out)["state"]) == (1, "cancelled")


async def test_status_shows_backfills(
    desk: Desk, control: Control, redis_url: str, tmp_path: Path
) -> None:
    """`callstream status` shows the latest run of each kind beside everything else."""
    await control.bulk(5, portal_id=desk.portal_id)
    run = await Collector(desk).run()
    settings = {"REDIS_URL": redis_url, "NAMESPACE": NAMESPACE}
    shown = await asyncio.to_thread(run_command, [*CALLSTREAM, "status"], tmp_path, **settings)
    assert run.id in shown.stdout
    told = await asyncio.to_thread(
        run_command, [*CALLSTREAM, "status", "--json"], tmp_path, **settings
    )
    (account,) = json.loads(told.stdout)["accounts"]
    (report,) = account["backfills"]
    assert (report["id"], report["published"]) == (run.id, 5)


async def test_what_is_left_of_the_budget(redis: Redis, namespace: str) -> None:
    """What is left is HubSpot's limit less what was granted within the window."""
    timing = Timing()
    assert await allowance(redis, namespace, timing, PORTAL, 100) == Allowance(limit=100, left=100)
    budget = Budget(redis, namespace, timing)
    await budget.take(PORTAL, 7)
    headers = {
        "X-HubSpot-RateLimit-Max": "190",
        "X-HubSpot-RateLimit-Remaining": "183",
        "X-HubSpot-RateLimit-Daily": "250000",
        "X-HubSpot-RateLimit-Daily-Remaining": "249000",
    }
    await budget.learn(PORTAL, headers, elapsed_ms=0)
    left = await allowance(redis, namespace, timing, PORTAL, 100)
    assert left == Allowance(limit=190, left=183, left_today=249_000)


async def test_words_of_a_run(redis: Redis, namespace: str) -> None:
    """A line tells state and counts; the bar calls, rate, time left and budget left."""
    runs = Runs(redis, namespace, Timing())
    run = (await runs.start(PORTAL, "live")).run
    fresh = report_of(run)
    assert line(fresh) == "62515-live-1: queued, 0 calls: 0 published"
    at_work = msgspec.structs.replace(
        run, state="running", seen=50_000, published=49_990, marked=7, set_aside=3
    )
    report = report_of(msgspec.structs.replace(at_work, total=1_000_000, rate=1_000.0))
    assert line(report) == (
        "62515-live-1: running, 50,000 of 1,000,000 calls: "
        "49,990 published, 7 to be read again, 3 set aside"
    )
    assert told(report, Allowance(limit=100, left=12, left_today=200_000)) == (
        "50,000 of 1,000,000 calls, 1,000/s, 16 min left, budget 12 of 100, 200,000 today"
    )
    assert told(fresh, Allowance(limit=100, left=12)) == "0 calls, 0/s, budget 12 of 100"
    failed = msgspec.structs.replace(run, state="failed", why="refused-page", error="refused")
    assert line(report_of(failed)).endswith("failed (refused-page), 0 calls: 0 published; refused")


async def test_runs_fit_the_terminal(redis: Redis, namespace: str) -> None:
    """Runs are a table where it fits, and lines that say the same where it does not."""
    run = (await Runs(redis, namespace, Timing()).start(PORTAL, "live")).run
    ended = msgspec.structs.replace(run, state="finished", seen=9, unchanged=9, saw_end=True)
    told_lines = f"{line(report_of(run))}\n{line(report_of(ended))}\n"
    for width, is_table in ((160, True), (80, False), (200, True)):
        console = Console(width=width, record=True, file=StringIO())
        show([report_of(run), report_of(ended)], console)
        shown = console.export_text()
        assert ("┃ backfill" in shown) is is_table
        assert (shown == told_lines) is not is_table
        assert "nothing new" in shown


async def test_a_run_at_work_is_a_bar(redis: Redis, namespace: str) -> None:
    """On a terminal of any width state, calls, rate, time and budget left are to be read."""
    run = (await Runs(redis, namespace, Timing()).start(PORTAL, "live")).run
    since = {"started_at": 1_000, "moved_at": 3_000}
    report = report_of(
        msgspec.structs.replace(
            run, state="waiting", why="budget", seen=500, total=1_000, published=500, **since
        )
    )
    assert (report.rate, report.seconds_left) == (250.0, 2.0)
    for width in (40, 80, 200):
        console = Console(width=width, record=True, file=StringIO(), force_terminal=True)
        console.print(bar(report, Allowance(limit=100, left=12, left_today=200_000)))
        shown = " ".join(console.export_text().split())
        assert "62515-live-1 waiting: budget ━" in shown
        assert "500 of 1,000 calls, 250/s, 2 s left, budget 12 of 100, 200,000 today" in shown
        assert "…" not in shown
