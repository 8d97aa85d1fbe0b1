"""All properties of an account: what HubSpot lists, kept, and never less for half an answer."""

from collections.abc import Collection

import pytest
from redis.asyncio import Redis

from jobs.hubspot.errors import HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.listings import RETRY_S, TTL_S
from jobs.redis import command
from jobs.stream.discovery import Discovery
from jobs.stream.projection import Projections
from jobs.timing import Timing

PORTAL = 62515
TITLE, BODY, OWN = "hs_call_title", "hs_call_body", "our_score"


class Account:
    """Lists its properties as told, and counts how often it was asked."""

    def __init__(self, redis: Redis, *names: str) -> None:
        self.names: Collection[str] = names
        self.archived: Collection[str] = ()
        self.failure: Exception | None = None
        self.asked = 0
        self.now = 0.0
        self.projections = Projections(redis, "", Timing())
        self.restart()

    def restart(self) -> None:
        """Let another process ask from now on."""
        self.discovery = Discovery(self, self.projections, clock=lambda: self.now)

    async def property_names(self, portal_id: int, *, archived: bool = False) -> tuple[str, ...]:
        """Return the names."""
        assert portal_id == PORTAL
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return tuple(self.archived if archived else self.names)

    async def properties(self) -> tuple[str, ...]:
        """Return what is to be read."""
        return (await self.discovery.properties(PORTAL)).names

    async def publish(self) -> None:
        """Let the list be what is read, as the live job does."""
        listed = await self.discovery.properties(PORTAL)
        await self.projections.current(PORTAL, listed.names, (), listed_at=listed.listed_at)


@pytest.fixture
def account(redis: Redis) -> Account:
    """An account with two properties."""
    return Account(redis, TITLE, BODY)


async def test_names_with_the_time(account: Account) -> None:
    """The names are sorted, with Redis' time of just before HubSpot was asked."""
    before = await account.projections.now_ms()
    listed = await account.discovery.properties(PORTAL)

    assert listed.names == (BODY, TITLE)
    assert before <= listed.listed_at <= await account.projections.now_ms()


async def test_a_list_is_kept(account: Account) -> None:
    """HubSpot is asked once until the list is stale, and then for what was added."""
    assert await account.properties() == (BODY, TITLE)
    account.names = (TITLE, BODY, OWN)
    account.now = TTL_S - 1
    assert await account.properties() == (BODY, TITLE)
    account.now = TTL_S
    assert await account.properties() == (BODY, TITLE, OWN)
    assert account.asked == 2


async def test_half_an_answer_removes_nothing(account: Account) -> None:
    """A name that is absent and not archived stays; what is new in the answer is added."""
    await account.properties()
    account.names, account.now = (TITLE, OWN), TTL_S

    assert await account.properties() == (BODY, TITLE, OWN)


async def test_an_archived_property_leaves(account: Account) -> None:
    """A name that HubSpot gives as archived is no longer read."""
    await account.properties()
    account.names, account.archived, account.now = (TITLE,), (BODY,), TTL_S

    assert await account.properties() == (TITLE,)


@pytest.mark.parametrize("names", [(), (TITLE,)])
async def test_half_an_answer_to_a_new_process(account: Account, names: tuple[str, ...]) -> None:
    """A process that has just started does not read less than the others for half an answer."""
    await account.publish()
    account.restart()
    account.names = names

    assert await account.properties() == (BODY, TITLE)


async def test_names_from_settings_do_not_count(account: Account) -> None:
    """What was read because settings named it is not taken for a property of the account."""
    await account.projections.current(PORTAL, [TITLE, "misspelt"], ())

    assert await account.properties() == (BODY, TITLE)
    assert account.asked == 1


@pytest.mark.parametrize(
    "failure",
    [PortalFailure(kind="server", status=502), RecordRefused(400), ConnectionResetError()],
)
async def test_a_failure_keeps_the_stale_list(account: Account, failure: Exception) -> None:
    """A list that cannot be refreshed serves on, until it can be."""
    await account.properties()
    account.failure, account.now = failure, TTL_S

    assert await account.properties() == (BODY, TITLE)
    account.failure, account.names = None, (TITLE, BODY, OWN)
    assert await account.properties() == (BODY, TITLE)
    account.now += RETRY_S
    assert await account.properties() == (BODY, TITLE, OWN)


async def test_a_failure_at_the_start_follows_the_others(account: Account) -> None:
    """A process that cannot ask reads what the others found out."""
    await account.publish()
    account.restart()
    account.failure = PortalFailure(kind="forbidden", status=403)

    assert await account.properties() == (BODY, TITLE)


@pytest.mark.parametrize("failure", [PortalFailure(kind="forbidden"), RecordRefused(400)])
async def test_a_failure_without_any_list(account: Account, failure: HubSpotError) -> None:
    """Where nobody ever knew the list the account cannot be read, and is asked again later."""
    account.failure = failure
    for _ in range(2):
        with pytest.raises(PortalFailure) as caught:
            await account.properties()
        assert caught.value.kind == "forbidden"
    assert account.asked == 1
    account.failure, account.now = None, RETRY_S
    assert await account.properties() == (BODY, TITLE)


async def test_an_account_without_properties(account: Account) -> None:
    """An empty answer is no answer."""
    account.names = ()
    with pytest.raises(PortalFailure, match="undecodable"):
        await account.properties()


async def test_a_later_list_holds_at_once(redis: Redis, account: Account) -> None:
    """A new list of HubSpot's begins a generation although the old one was used just now."""
    await account.publish()
    account.names, account.now = (TITLE, BODY, OWN), TTL_S
    await _clock_moves_on(account)
    listed = await account.discovery.properties(PORTAL)
    made = await account.projections.current(PORTAL, listed.names, (), listed_at=listed.listed_at)

    assert (made.generation, made.properties) == (2, (BODY, TITLE, OWN))
    assert made.fresh
    assert not made.differs
    assert await command(redis, "HGET", f"projection:{PORTAL}", "listed_at") == (
        str(listed.listed_at).encode()
    )


async def test_an_earlier_list_follows(account: Account) -> None:
    """A process that still has the earlier list follows the later one, which is no disagreement."""
    await account.projections.current(PORTAL, [TITLE, BODY], (), listed_at=2_000)
    followed = await account.projections.current(PORTAL, [TITLE], (), listed_at=1_000)

    assert (followed.generation, followed.properties) == (1, (BODY, TITLE))
    assert not followed.differs


async def test_the_same_list_told_again(account: Account) -> None:
    """An unchanged list is no new generation, and from then on the later word."""
    current = account.projections.current
    await current(PORTAL, [TITLE], (), listed_at=1_000)
    assert (await current(PORTAL, [TITLE], (), listed_at=3_000)).generation == 1
    assert (await current(PORTAL, [TITLE, BODY], (), listed_at=2_000)).properties == (TITLE,)
    assert (await current(PORTAL, [TITLE, BODY], (), listed_at=4_000)).generation == 2


@pytest.mark.parametrize(("held_at", "listed_at"), [(0, 2_000), (1_000, 0)])
async def test_other_settings_wait(account: Account, held_at: int, listed_at: int) -> None:
    """Between a list of HubSpot's and one of the settings, the one in use holds."""
    current = account.projections.current
    await current(PORTAL, [TITLE], (), listed_at=held_at)
    followed = await current(PORTAL, [TITLE, BODY], (), listed_at=listed_at)

    assert (followed.generation, followed.properties) == (1, (TITLE,))
    assert followed.differs


async def test_other_associations_wait(account: Account) -> None:
    """A later list with other associations is other settings."""
    current = account.projections.current
    await current(PORTAL, [TITLE], ["contacts"], listed_at=1_000)

    assert (await current(PORTAL, [TITLE, BODY], ["deals"], listed_at=2_000)).differs


async def _clock_moves_on(account: Account) -> None:
    """Return in a later ms of Redis' clock."""
    now = await account.projections.now_ms()
    while await account.projections.now_ms() == now:
        pass
