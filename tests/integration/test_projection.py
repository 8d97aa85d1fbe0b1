"""All processes read one list of properties, and a new one takes over when the old is given up."""

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from jobs.redis import command
from jobs.stream.projection import Projections
from jobs.timing import Timing
from tests.support.candidates import PORTAL
from tests.support.desk import Desk

KEY = f"projection:{PORTAL}"
OLD, NEW = ["hs_call_title"], ["hs_call_title", "hs_call_body"]
LINKS = ["contacts"]


@pytest.fixture
def projections(redis: Redis) -> Projections:
    """Projections without a namespace."""
    return Projections(redis, "", Timing())


async def _pass_time(redis: Redis, ms: int) -> None:
    """Let the last use of the list have been earlier than it was."""
    used_at = msgspec.convert(await command(redis, "HGET", KEY, "used_at"), bytes)
    await command(redis, "HSET", KEY, "used_at", int(used_at) - ms)


async def _give_up(redis: Redis) -> None:
    await _pass_time(redis, Timing().projection_idle_ms)


async def test_first_list(projections: Projections) -> None:
    """The first process' list is generation 1: names sorted, each once."""
    made = await projections.current(
        PORTAL, ["b", "a", "b", "hs_call_title"], ["deals", "contacts"]
    )
    assert made.generation == 1
    assert made.properties == ("a", "b", "hs_call_title")
    assert made.associations == ("contacts", "deals")
    assert made.fresh
    assert not made.differs


async def test_empty_lists(projections: Projections) -> None:
    """Nothing wanted is a list as well."""
    made = await projections.current(PORTAL, [], [])
    assert (made.properties, made.associations) == ((), ())
    assert await projections.current(PORTAL, [], []) == made


async def test_same_list(projections: Projections) -> None:
    """A process that wants the same list, in whatever order, begins nothing."""
    made = await projections.current(PORTAL, NEW, LINKS)
    assert await projections.current(PORTAL, reversed(NEW), LINKS) == made


@pytest.mark.parametrize(("properties", "links"), [(NEW, LINKS), (OLD, []), (OLD, ["deals"])])
async def test_other_list_is_used(
    projections: Projections, properties: list[str], links: list[str]
) -> None:
    """A process with other settings follows the list that others use, and can say so."""
    used = await projections.current(PORTAL, OLD, LINKS)
    followed = await projections.current(PORTAL, properties, links)
    assert followed.differs
    assert followed.generation == used.generation
    assert followed.properties == used.properties
    assert followed.associations == used.associations


async def test_other_list_is_given_up(redis: Redis, projections: Projections) -> None:
    """A list that nobody has wanted for ten minutes is replaced, under the next generation."""
    await projections.current(PORTAL, OLD, LINKS)
    await projections.marked(PORTAL, 1)
    await _give_up(redis)
    made = await projections.current(PORTAL, NEW, LINKS)
    assert made.generation == 2
    assert made.properties == tuple(sorted(NEW))
    assert made.fresh
    assert not made.differs


async def test_followers_keep_nothing_alive(redis: Redis, projections: Projections) -> None:
    """Following a list is not wanting it: without its own processes it is given up."""
    await projections.current(PORTAL, OLD, LINKS)
    await _pass_time(redis, 60_000)
    before = await command(redis, "HGET", KEY, "used_at")
    assert (await projections.current(PORTAL, NEW, LINKS)).differs
    assert await command(redis, "HGET", KEY, "used_at") == before


async def test_use_keeps_a_list_alive(redis: Redis, projections: Projections) -> None:
    """A list that was given up but is wanted again in time stays."""
    await projections.current(PORTAL, OLD, LINKS)
    await _give_up(redis)
    await projections.current(PORTAL, OLD, LINKS)
    followed = await projections.current(PORTAL, NEW, LINKS)
    assert followed.differs
    assert followed.generation == 1


async def test_fresh_until_marked(redis: Redis, projections: Projections) -> None:
    """A generation asks for its full round until somebody says that all calls are marked."""
    made = await projections.current(PORTAL, OLD, LINKS)
    assert (await projections.current(PORTAL, OLD, LINKS)).fresh
    await projections.marked(PORTAL, made.generation)
    assert not (await projections.current(PORTAL, OLD, LINKS)).fresh
    await _give_up(redis)
    assert (await projections.current(PORTAL, NEW, LINKS)).fresh


async def test_ledger_lost_its_data(redis: Redis, projections: Projections) -> None:
    """A list behind what the streams hold is begun anew above it, and only once."""
    await command(redis, "FLUSHDB")
    assert (await projections.current(PORTAL, OLD, LINKS)).generation == 1
    made = await projections.current(PORTAL, OLD, LINKS, seen=7)
    assert made.generation == 8
    assert made.fresh
    assert (await projections.current(PORTAL, OLD, LINKS, seen=7)).generation == 8
    assert (await projections.current(PORTAL, OLD, LINKS, seen=8)).generation == 8


async def test_portals_are_apart(projections: Projections) -> None:
    """Each portal has its own list."""
    await projections.current(PORTAL, OLD, LINKS)
    assert not (await projections.current(PORTAL + 1, NEW, LINKS)).differs


async def test_namespace(redis: Redis, namespace: str) -> None:
    """Projections stay in their namespace."""
    projections = Projections(redis, namespace, Timing())
    made = await projections.current(PORTAL, OLD, LINKS)
    await projections.marked(PORTAL, made.generation)
    assert await command(redis, "EXISTS", f"{namespace}:{KEY}") == 1


async def test_what_is_marked_is_a_known_generation(projections: Projections, redis: Redis) -> None:
    """A round that ends after the account's removal, or a loss of data, brings nothing back."""
    made = await projections.current(PORTAL, OLD, LINKS)
    await projections.marked(PORTAL, made.generation + 1)
    assert (await projections.current(PORTAL, OLD, LINKS)).fresh
    await projections.marked(PORTAL, made.generation)
    assert not (await projections.current(PORTAL, OLD, LINKS)).fresh
    await command(redis, "DEL", KEY)
    await projections.marked(PORTAL, made.generation)
    assert await command(redis, "EXISTS", KEY) == 0


@pytest.mark.one_redis
async def test_a_list_of_others_is_told_of_once(desk: Desk) -> None:
    """That others' list is followed is logged once for each such list, not with every read."""
    context, portal_id = desk.context, desk.portal_id

    async def told_by(reads: int) -> int:
        with capture_logs() as logs:
            for _ in range(reads):
                await context.projection(portal_id)
        return sum("other processes read" in entry["event"] for entry in logs)

    await context.projections.current(portal_id, OLD, LINKS)
    assert await told_by(3) == 1
    assert await told_by(2) == 0
    key = f"tenant-1:projection:{portal_id}"
    await command(desk.redis, "HSET", key, "used_at", 0)
    await context.projections.current(portal_id, NEW, LINKS)
    assert await told_by(3) == 1
    await command(desk.redis, "HSET", key, "used_at", 0)
    assert await told_by(2) == 0
