"""The figures of `callstream status`, on what really lies in Redis."""

from pathlib import Path

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command
from jobs.timing import Timing
from service.figures import Figures, read_figures, waiting, workers
from tests.support.commands import CALLSTREAM, run_command

MARK = Mark(62515, "512", (Hint("creation", 1),))


def _letter() -> DeadLetter:
    return DeadLetter(reason="malformed-notification", error="no object id", raw=b"{}")


async def test_an_empty_redis_has_empty_figures(redis: Redis, namespace: str) -> None:
    """Where nothing ever happened every figure is zero."""
    figures = await read_figures(redis, redis, namespace)
    assert figures == Figures(
        portals=(), streams=(), dead_letters=0, queued={"live": 0, "collections": 0}, workers=0
    )


async def test_calls_of_an_unknown_account_are_shown(redis: Redis, namespace: str) -> None:
    """Marks of an account that is not connected are counted, and the account shown as such."""
    await Ledger(redis, namespace, Timing()).mark([MARK])
    (portal,) = (await read_figures(redis, redis, namespace)).portals
    assert (portal.portal_id, portal.connected, portal.due, portal.leased) == (62515, False, 1, 0)


async def test_due_and_leased_calls_are_counted(redis: Redis, namespace: str) -> None:
    """A claimed call counts as leased, one marked since as due; both are waiting."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.connect(62515)
    await ledger.mark([MARK])
    await ledger.claim(62515)
    await ledger.mark([Mark(62515, "513", ())])
    (portal,) = (await read_figures(redis, redis, namespace)).portals
    assert (portal.connected, portal.due, portal.leased) == (True, 1, 1)
    assert await waiting(redis, namespace) == 2


async def test_a_sleeping_account_is_shown_with_its_reason(redis: Redis, namespace: str) -> None:
    """An account that is asleep has its waking time and why; once awake neither counts."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.connect(62515)
    await ledger.sleep(62515, 60_000, "unauthorised")
    (portal,) = (await read_figures(redis, redis, namespace)).portals
    assert portal.asleep_until > 0
    assert portal.why == "unauthorised"
    await ledger.wake(62515)
    (portal,) = (await read_figures(redis, redis, namespace)).portals
    assert portal.asleep_until == 0


async def test_workers_and_dead_letters_are_counted(redis: Redis, namespace: str) -> None:
    """Workers that were heard of, and dead letters, are counted."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.beat("a", 20)
    await ledger.mark([], [_letter()])
    assert await workers(redis, namespace) == 1
    assert (await read_figures(redis, redis, namespace)).dead_letters == 1


async def test_streams_tell_their_groups(redis: Redis, namespace: str) -> None:
    """Each partition tells its length, its last entry, and its groups with what they hold."""
    await command(redis, "HSET", keys.meta(namespace), keys.META_PARTITIONS, "2")
    first = keys.stream(namespace, 0)
    await redis.xadd(first, {"id": "x"}, id="1-1")
    await redis.xadd(first, {"id": "y"}, id="2-1")
    await redis.xgroup_create(first, "crm", id="0")
    await redis.xreadgroup("crm", "one", {first: ">"}, count=1)
    one, two = (await read_figures(redis, redis, namespace)).streams
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
    settings = {"REDIS_URL": redis_url, "NAMESPACE": namespace}
    shown = run_command([*CALLSTREAM, "status"], tmp_path, **settings)
    assert shown.returncode == 0
    assert "62515" in shown.stdout
    assert "not connected" in shown.stdout
    told = run_command([*CALLSTREAM, "status", "--json"], tmp_path, **settings)
    assert msgspec.json.decode(told.stdout, type=Figures).portals[0].due == 1
    assert told.stderr == ""
