"""`callstream reconcile` and what `callstream status` says of it, as a user runs them."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from jobs.reconciliation.operate import Reconciled, Reconciling, SinceError, since_ms
from jobs.timing import Timing
from service.figures import Figures
from tests.simulator.control import Control
from tests.simulator.messages import Create
from tests.support.commands import CALLSTREAM, run_command
from tests.support.reconciling import Reconciler
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis


class Asked(msgspec.Struct):
    """What the command prints of one account."""

    portal_id: int
    id: str


async def reconcile(reconciler: Reconciler, folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the command; return its status and what it printed on both channels."""
    settings = reconciler.desk.context.settings
    environ = {"REDIS_URL": settings.redis_url, "NAMESPACE": settings.namespace}
    done = await asyncio.to_thread(
        run_command, [*CALLSTREAM, "reconcile", *options], folder, **environ
    )
    return done.returncode, done.stdout, done.stderr


async def test_a_run_is_asked_for_once(reconciler: Reconciler, tmp_path: Path) -> None:
    """The command prints the run's id; asked again before it began, the same one covers both."""
    portal = f"--portal={reconciler.desk.portal_id}"
    status, told, _ = await reconcile(reconciler, tmp_path, portal, "--json")
    (asked,) = msgspec.json.decode(told, type=list[Asked])
    assert (status, asked.portal_id) == (0, reconciler.desk.portal_id)
    _, told, _ = await reconcile(
        reconciler, tmp_path, portal, "--full", "--since=2024-01-15T11:00:00Z"
    )
    assert told == f"account {asked.portal_id}: {asked.id}\n"
    standing = await reconciler.finish()
    assert standing.last is not None
    assert (standing.last.id, standing.last.kind) == (asked.id, "full")
    assert standing.last.since == 1_705_316_400_000


async def test_all_accounts_are_followed_to_the_end(
    reconciler: Reconciler, control: Control, tmp_path: Path
) -> None:
    """`--follow` ends with the run, status 0, and says what was seen and what was missed."""
    await control.do(*[Create(properties={})] * 3, portal_id=reconciler.desk.portal_id)
    await reconciler.search()
    following = asyncio.create_task(reconcile(reconciler, tmp_path, "--full", "--follow", "--json"))

    async def is_asked() -> bool:
        return (await reconciler.standing()).asked is not None

    await until(is_asked)
    await reconciler.finish()
    status, told, _ = await following
    (seen,) = msgspec.json.decode(told, type=list[Reconciled])
    assert status == 0
    assert seen.last is not None
    assert (seen.last.state, seen.last.kind) == ("finished", "full")
    assert seen.missed.count == 3


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--portal=1",), 1, "account 1 is not connected"),
        (("--portal={own}", "--since=yesterday"), 2, "no RFC 3339 time"),
        (("--portal={own}", "--since=2999-01-01T00:00:00Z"), 2, "has yet to come"),
        ((), 1, "no account is reconciled yet"),
    ],
)
async def test_errors_are_told_in_one_line(
    reconciler: Reconciler, tmp_path: Path, options: tuple[str, ...], status: int, said: str
) -> None:
    """Wrong usage ends with 2, what cannot be done with 1, each in one line and no traceback."""
    own = [option.format(own=reconciler.desk.portal_id) for option in options]
    ended, told, error = await reconcile(reconciler, tmp_path, *own)
    assert (ended, told) == (status, "")
    assert said in error
    assert len(error.splitlines()) == 1


async def test_status_shows_watermark_and_missed(
    reconciler: Reconciler, control: Control, tmp_path: Path
) -> None:
    """The figures of `callstream status` name watermark, last run and missed calls per account."""
    call_id = await control.create({}, portal_id=reconciler.desk.portal_id)
    standing = await reconciler.round()
    settings = reconciler.desk.context.settings
    done = await asyncio.to_thread(
        run_command,
        [*CALLSTREAM, "status", "--json"],
        tmp_path,
        REDIS_URL=settings.redis_url,
        NAMESPACE=settings.namespace,
    )
    (account,) = msgspec.json.decode(done.stdout, type=Figures).accounts
    seen = account.reconciled
    assert seen is not None
    assert seen.watermark == standing.watermark
    assert [miss.call_id for miss in seen.missed.latest] == [str(call_id)]
    done = await asyncio.to_thread(
        run_command,
        [*CALLSTREAM, "status"],
        tmp_path,
        REDIS_URL=settings.redis_url,
        NAMESPACE=settings.namespace,
    )
    assert "Reconciliation" in done.stdout
    assert "Changes that nobody told of" in done.stdout
    assert str(call_id) in done.stdout


async def test_a_removed_account_leaves_nothing(reconciler: Reconciler) -> None:
    """What is known of an account's reconciliation can be forgotten as a whole."""
    await reconciler.search()
    redis, settings = reconciler.desk.redis, reconciler.desk.context.settings
    reconciling = Reconciling(redis, settings.namespace, Timing())
    await reconciling.store.forget(reconciler.desk.portal_id)
    assert await reconciling.accounts() == []
    assert await redis.keys(f"{settings.namespace}:reconciliation:[0-9]*") == []


def test_since_is_a_time_in_the_past() -> None:
    """RFC 3339 with an offset is read to the millisecond; everything else is refused."""
    assert since_ms("2024-01-15T12:00:00.5+01:00", 1 << 50) == 1_705_316_400_500
    for text in ("1705316400500", "2024-01-15", "2024-01-15T11:00:00"):
        with pytest.raises(SinceError):
            since_ms(text, 1 << 50)
