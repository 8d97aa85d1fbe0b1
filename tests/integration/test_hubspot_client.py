"""The client against the stand-in: what each question brings, what it costs, how it fails."""

import itertools
from collections.abc import AsyncIterator
from functools import partial

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.accounts.static import StaticAccount
from jobs.config.values import Secret
from jobs.events.normalise import DEFAULT_DISPOSITIONS
from jobs.hubspot.budget import Budget
from jobs.hubspot.client import MOST_PAGES, HubSpot
from jobs.hubspot.errors import FailureKind, HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.paths import Paths
from jobs.hubspot.reads import CallsRead
from jobs.hubspot.transport import Transport, open_session
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.messages import AccountState
from tests.simulator.meters import Counts
from tests.simulator.process import Running
from tests.simulator.switchboard import Effect, Fault

pytestmark = pytest.mark.one_redis

_portals = itertools.count(700_000)

QUICK = Timing().scaled(0.05)
"""A request may take 500 ms."""
VERSIONS = ["v3", "2025-09", "2026-03", "2026-09"]
TITLE = ("hs_call_title",)


class World:
    """A new account of the stand-in, and clients that ask for it."""

    def __init__(
        self, redis: Redis, control: Control, account: AccountState, transport: Transport
    ) -> None:
        self.control = control
        self.portal_id = account.portal_id
        self.budget = Budget(redis, "", QUICK, rate_limit=1_000)
        self._token = account.token
        self._redis = redis
        self._transport = transport

    def client(
        self,
        version: str = "2026-03",
        *,
        token: str = "",
        kind: type[StaticAccount] = StaticAccount,
    ) -> HubSpot:
        """Return a client for one path style."""
        paths = Paths(version)
        accounts = kind(
            self._redis,
            "",
            self._believe,
            token=Secret(token or self._token),
            portal_id=self.portal_id,
        )
        return HubSpot(self._transport, paths, self.budget, accounts)

    async def _believe(self, _token: Secret) -> int:
        """Answer whose a token is without asking: whoever asks here asks for something else."""
        return self.portal_id

    async def create(self, title: str, **associations: list[int]) -> str:
        """Log a call and return its id."""
        properties = {"hs_call_title": title}
        return str(await self.control.create(properties, associations, portal_id=self.portal_id))

    async def archive(self, call_id: str) -> None:
        """Move a call to the recycle bin."""
        await self.control.archive(int(call_id), portal_id=self.portal_id)

    async def asked(self) -> int:
        """Return how many requests for the account came in."""
        counts = (await self.control.requests()).accounts.get(self.portal_id, Counts())
        return sum(counts.by_operation.values())

    async def read(self, *, prepaid: bool = False) -> CallsRead:
        """Read a call that does not exist."""
        return await self.client().read_calls(self.portal_id, ["512"], TITLE, prepaid=prepaid)


@pytest.fixture
async def world(redis: Redis, simulator: Running, control: Control) -> AsyncIterator[World]:
    """A new account, with small pages of associations."""
    knobs = await control.turn()
    await control.turn(association_page=2)
    account = await control.open_account(next(_portals))
    async with open_session() as session:
        yield World(redis, control, account, Transport(session, simulator.url, QUICK))
    await control.turn(**msgspec.structs.asdict(knobs))


async def failing(world: World) -> HubSpotError:
    """Read a call in vain, and return how it failed."""
    with pytest.raises(HubSpotError) as caught:
        await world.read()
    return caught.value


@pytest.mark.parametrize("version", VERSIONS)
async def test_calls_are_read_in_a_batch(world: World, version: str) -> None:
    """Found, missing and archived calls are told apart, with HubSpot's clock beside them."""
    ids = [await world.create("One"), await world.create("Two"), await world.create("Gone"), "123"]
    await world.archive(ids[2])

    live = await world.client(version).read_calls(world.portal_id, ids, TITLE)
    archived = await world.client(version).read_calls(
        world.portal_id, ids[2:], TITLE, archived=True
    )

    titles = {call_id: call.properties["hs_call_title"] for call_id, call in live.calls.items()}
    assert titles == {ids[0]: "One", ids[1]: "Two"}
    assert live.missing == set(ids[2:])
    assert list(archived.calls) == [ids[2]]
    assert archived.calls[ids[2]].archived
    assert archived.missing == {"123"}
    assert live.unanswered == ()
    assert live.undecodable == ()
    assert live.refused == {}
    assert live.date_ms == pytest.approx((await world.control.clock()).now_ms, abs=5_000)
    assert live.elapsed_ms >= 0


async def test_a_batch_has_bounds(world: World) -> None:
    """More than a hundred ids, or none, are a mistake of the caller's; doubles count once."""
    client = world.client()
    call_id = await world.create("One")

    for ids in ([], [str(number) for number in range(101)]):
        with pytest.raises(ValueError, match="1 to 100 ids"):
            await client.read_calls(world.portal_id, ids, TITLE)
    assert list((await client.read_calls(world.portal_id, [call_id] * 101, TITLE)).calls) == [
        call_id
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_call_is_read_singly(world: World, version: str) -> None:
    """One call is found live or archived, or HubSpot has none of that id."""
    client = world.client(version)
    call_id = await world.create("One")
    live = await client.read_call(world.portal_id, call_id, TITLE)
    await world.archive(call_id)

    assert live.call is not None
    assert live.call.properties["hs_call_title"] == "One"
    assert (await client.read_call(world.portal_id, call_id, TITLE)).call is None
    archived = await client.read_call(world.portal_id, call_id, TITLE, archived=True)
    assert archived.call is not None
    assert (await client.read_call(world.portal_id, "123", TITLE)).call is None


async def test_a_merged_call_answers_under_another_id(world: World) -> None:
    """In a batch the asked id stays unanswered; singly the survivor is returned."""
    await world.control.turn(merged_ids="survivor")
    kept, merged = await world.create("Kept"), await world.create("Merged")
    await world.control.merge(int(kept), int(merged), portal_id=world.portal_id)
    client = world.client()

    batch = await client.read_calls(world.portal_id, [merged], TITLE)
    single = await client.read_call(world.portal_id, merged, TITLE)

    assert batch.unanswered == (merged,)
    assert list(batch.calls) == [kept]
    assert single.call is not None
    assert single.call.id == kept


@pytest.mark.parametrize("version", VERSIONS)
async def test_all_pages_of_associations_are_read(world: World, version: str) -> None:
    """Each call has all of its other sides, unique and in order; one without has none."""
    many = await world.create("Many", contacts=[105, 101, 103, 102, 104])
    some = await world.create("Some", contacts=[109, 20])
    none = await world.create("None", companies=[7])

    read = await world.client(version).read_associations(
        world.portal_id, "contacts", [many, some, none]
    )

    assert read.ids == {many: ("101", "102", "103", "104", "105"), some: ("20", "109"), none: ()}
    assert read.undecodable == ()
    assert read.requests == 3


@pytest.mark.parametrize("version", VERSIONS)
async def test_all_pages_of_the_listing_are_read(world: World, version: str) -> None:
    """The cursor goes back as it came, until the last page has none."""
    ids = [await world.create(str(number), contacts=[number + 1]) for number in range(7)]
    client = world.client(version)
    seen: list[str] = []
    after: str | None = None
    for _ in range(3):
        read = await client.list_page(
            world.portal_id, after, properties=TITLE, associations=["contacts"], limit=3
        )
        seen += [call.id for call in read.page.calls]
        after = read.page.after

    assert seen == ids
    assert after is None
    assert (
        await client.list_page(world.portal_id, None, properties=TITLE, archived=True)
    ).page.calls == ()


@pytest.mark.parametrize("version", VERSIONS)
async def test_whose_the_token_is(world: World, version: str) -> None:
    """HubSpot names the account of a token, and another one is an error that names both."""
    client = world.client(version)
    other = await world.control.open_account(next(_portals))

    assert await client.portal_id_of_token(world.portal_id) == world.portal_id
    await client.confirm_token(world.portal_id)
    with pytest.raises(
        PortalFailure, match=f"{other.portal_id}, not to {world.portal_id}"
    ) as caught:
        await world.client(version, token=other.token).confirm_token(world.portal_id)
    assert caught.value.kind == "wrong_account"


async def test_whose_an_unknown_token_is(world: World) -> None:
    """A token that HubSpot refuses is nobody's."""
    with pytest.raises(PortalFailure) as caught:
        await world.client(token="pat-na1-revoked").portal_id_of_token(world.portal_id)
    assert (caught.value.kind, caught.value.status) == ("unauthorised", 401)


async def test_outcomes_of_the_account(world: World) -> None:
    """The account's own list of call outcomes is read."""
    assert await world.client().dispositions(world.portal_id) == DEFAULT_DISPOSITIONS


@pytest.mark.parametrize(
    ("effect", "status", "kind"),
    [
        ("status", 500, "server"),
        ("status", 503, "server"),
        ("status", 403, "forbidden"),
        ("status", 423, "locked"),
        ("status", 477, "migrating"),
        ("hang", 0, "timeout"),
        ("cut", 0, "transport"),
        ("cut_after", 0, "transport"),
        ("truncate", 0, "transport"),
        ("corrupt", 0, "undecodable"),
    ],
)
async def test_the_account_fails(
    world: World, effect: Effect, status: int, kind: FailureKind
) -> None:
    """What has nothing to do with the calls is a failure of the account."""
    await world.control.fault(Fault(effect=effect, status=status, retry_after="7"))

    failure = await failing(world)

    assert isinstance(failure, PortalFailure)
    assert failure.kind == kind
    assert failure.retry_after_ms == (7_000 if effect == "status" else None)
    assert (failure.correlation_id is None) == (effect != "status")


@pytest.mark.parametrize("status", [400, 414])
async def test_the_request_is_refused(world: World, status: int) -> None:
    """What HubSpot refuses as such is the batch's own fault."""
    await world.control.fault(Fault(effect="status", status=status))

    failure = await failing(world)

    assert isinstance(failure, RecordRefused)
    assert failure.status == status


async def test_a_wrong_version_blames_no_call(world: World) -> None:
    """A path that HubSpot does not know fails the account."""
    client = world.client("2031-09")
    ways = (
        partial(client.read_calls, world.portal_id, ["512"], TITLE),
        partial(client.read_associations, world.portal_id, "contacts", ["512"]),
        partial(client.list_page, world.portal_id, None, properties=TITLE),
    )
    for read in ways:
        with pytest.raises(PortalFailure) as caught:
            await read()
        assert caught.value.kind == "no_such_path"


async def test_limits_are_learned_from_answers(world: World) -> None:
    """An answer's headers set the account's budget."""
    await world.control.turn(rate_limit=200)
    await world.read()
    await world.budget.take(world.portal_id)

    assert world.budget.spending(world.portal_id).rate * 10 == pytest.approx(200 * 0.9, abs=1)


async def test_nothing_is_asked_beyond_the_budget(world: World) -> None:
    """A spent budget is a failure with a wait, and HubSpot hears nothing; prepaid work goes on."""
    call_id = await world.create("One")
    await world.control.turn(rate_limit=20)
    client = world.client()
    await client.read_calls(world.portal_id, [call_id], TITLE)
    while await world.budget.take(world.portal_id) == 0:
        pass
    asked = await world.asked()

    with pytest.raises(PortalFailure) as caught:
        await client.read_calls(world.portal_id, [call_id], TITLE)

    assert caught.value.kind == "budget"
    assert 0 < (caught.value.retry_after_ms or 0) <= 10_251
    assert await world.asked() == asked
    assert (
        call_id in (await client.read_calls(world.portal_id, [call_id], TITLE, prepaid=True)).calls
    )


async def test_further_pages_are_paid_for(world: World) -> None:
    """Prepaid is the first page; if the budget ends in between, half a list is only begun."""
    many = await world.create("Many", contacts=[1, 2, 3, 4, 5])
    one = await world.create("One", contacts=[7])
    await world.control.turn(rate_limit=20, association_page=2)
    client = world.client()
    await client.read_calls(world.portal_id, [many], TITLE)
    taken = 1
    while await world.budget.take(world.portal_id) == 0:
        taken += 1
    assert taken == 18

    read = await client.read_associations(world.portal_id, "contacts", [many, one], prepaid=True)
    assert read.failure is not None
    assert (read.failure.kind, read.requests) == ("budget", 1)
    assert read.ids == {one: ("7",)}
    assert read.begun[many].ids == ("1", "2")


async def test_half_read_associations_are_read_on(world: World) -> None:
    """What was begun is read on from its cursor, beside calls that are read from the beginning."""
    numbers = list(range(1, 2 * MOST_PAGES + 6))
    many = await world.create("Many", contacts=numbers)
    one = await world.create("One", contacts=[7])
    client = world.client()
    first = await client.read_associations(world.portal_id, "contacts", [many])
    assert (first.requests, first.ids, first.failure) == (MOST_PAGES, {}, None)
    asked = await world.asked()
    rest = await client.read_associations(
        world.portal_id, "contacts", [many, one], begun=first.begun
    )
    assert rest.ids == {many: tuple(map(str, numbers)), one: ("7",)}
    assert rest.begun == {}
    assert await world.asked() - asked == 3


async def test_a_429_cools_the_account(world: World) -> None:
    """After a 429 nothing is asked until the limit's own time, which the failure tells."""
    await world.control.turn(rate_limit=1)
    await world.read()

    with pytest.raises(PortalFailure) as caught:
        await world.read(prepaid=True)

    assert (caught.value.kind, caught.value.limit) == ("rate_limited", "ten_secondly")
    assert caught.value.retry_after_ms == QUICK.budget_window_ms
    assert await world.budget.take(world.portal_id) > 0


class Renewing(StaticAccount):
    """An account whose token has expired and can be renewed."""

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return an expired token, and the good one after that was refused."""
        if refused == Secret("expired"):
            return await super().token(portal_id)
        return Secret("expired")


async def test_a_refused_token_is_renewed_once(world: World) -> None:
    """After a 401 the account is asked for another token, and the request goes out again."""
    call_id = await world.create("One")
    client = world.client(kind=Renewing)

    read = await client.read_calls(world.portal_id, [call_id], TITLE)

    assert list(read.calls) == [call_id]


async def test_without_another_token_a_401_is_final(world: World, redis: Redis) -> None:
    """The settings have one token: a refused one is not tried twice."""
    with pytest.raises(PortalFailure) as caught:
        await world.client(token="revoked").dispositions(world.portal_id)

    assert caught.value.kind == "unauthorised"
    assert await redis.zcard(f"budget:{world.portal_id}:burst") == 1
