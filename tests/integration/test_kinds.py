"""All kinds of association: what HubSpot lists and lets be read, and never less for half of it."""

from collections.abc import Collection

import pytest
from redis.asyncio import Redis

from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.hubspot.kinds import NAMES, TYPE_IDS, type_id_of
from jobs.hubspot.listings import TTL_S
from jobs.stream.kinds import REFUSED_S, Kinds
from jobs.stream.projection import Projections
from jobs.timing import Timing

PORTAL = 62515
CONTACTS, LEADS, VEHICLES = "0-1", "0-136", "2-3453932"
BAD_GATEWAY = PortalFailure(kind="server", status=502)


class Account:
    """Lists its types as told, lets them be read or not, and counts how often it was asked."""

    def __init__(self, redis: Redis, *types: str) -> None:
        self.types: Collection[str] = types
        self.refused: set[str] = set()
        self.failure: Exception | None = None
        self.tried: list[str] = []
        self.now = 0.0
        self.projections = Projections(redis, "", Timing())
        self.restart()

    def restart(self) -> None:
        """Let another process ask from now on."""
        self.kinds = Kinds(self, self.projections, clock=lambda: self.now)

    async def associated_types(self, portal_id: int) -> tuple[str, ...]:
        """Return the types."""
        assert portal_id == PORTAL
        if self.failure is not None:
            raise self.failure
        return tuple(self.types)

    async def may_associate(self, portal_id: int, kind: str) -> bool:
        """Tell whether a kind can be read."""
        assert portal_id == PORTAL
        self.tried.append(kind)
        return kind not in self.refused

    async def names(self) -> tuple[str, ...]:
        """Return what is to be read."""
        return (await self.kinds.associations(PORTAL)).names

    async def publish(self) -> None:
        """Let the list be what is read, as the live job does."""
        listed = await self.kinds.associations(PORTAL)
        await self.projections.current(PORTAL, (), listed.names, linked_at=listed.listed_at)


@pytest.fixture
def account(redis: Redis) -> Account:
    """An account whose calls can be associated with contacts and a custom object."""
    return Account(redis, CONTACTS, VEHICLES, "0-48")


async def test_names_with_the_time(account: Account) -> None:
    """HubSpot's own types go by name, others by id; calls are no kind; the time is of before."""
    before = await account.projections.now_ms()
    listed = await account.kinds.associations(PORTAL)

    assert listed.names == (VEHICLES, "contacts")
    assert before <= listed.listed_at <= await account.projections.now_ms()
    assert account.tried == ["contacts", VEHICLES]


async def test_new_kinds_come(account: Account) -> None:
    """HubSpot is asked again once the list is stale."""
    await account.names()
    account.types = (*account.types, LEADS)
    account.now = TTL_S - 1
    assert "leads" not in await account.names()
    account.now = TTL_S
    assert await account.names() == (VEHICLES, "contacts", "leads")


async def test_half_an_answer_removes_nothing(account: Account) -> None:
    """A kind that the list lacks stays as long as HubSpot lets it be read."""
    await account.names()
    account.types, account.now = (LEADS,), TTL_S
    assert await account.names() == (VEHICLES, "contacts", "leads")


async def test_half_an_answer_to_a_new_process(account: Account) -> None:
    """A process that has just started does not read less than the others for half an answer."""
    await account.publish()
    account.restart()
    account.types = (LEADS,)

    assert await account.names() == (VEHICLES, "contacts", "leads")


async def test_what_may_not_be_read_is_left_out(account: Account) -> None:
    """A kind that HubSpot refuses under its name and its id is not read, and tried daily."""
    account.types = (CONTACTS, LEADS)
    account.refused = {"leads", LEADS}
    assert await account.names() == ("contacts",)
    assert account.tried == ["contacts", "leads", LEADS]
    account.now = TTL_S
    assert await account.names() == ("contacts",)
    assert account.tried[3:] == ["contacts"]
    account.refused.clear()
    account.now = REFUSED_S
    assert await account.names() == ("contacts", "leads")


async def test_a_kind_that_is_refused_later_leaves(account: Account) -> None:
    """What could be read and no longer can is read no more, although HubSpot lists it."""
    await account.publish()
    account.refused, account.now = {VEHICLES}, TTL_S
    assert await account.names() == ("contacts",)


async def test_a_name_that_hubspot_does_not_know(account: Account) -> None:
    """A type that is refused under our name for it goes by its id."""
    account.refused = {"contacts"}
    assert await account.names() == (CONTACTS, VEHICLES)


@pytest.mark.parametrize(
    "failure",
    [
        PortalFailure(kind="forbidden", status=403),
        PortalFailure(kind="no_such_path", status=404),
        RecordRefused(400),
    ],
)
async def test_without_a_list_all_of_hubspots_own_are_tried(
    account: Account, failure: Exception
) -> None:
    """Where the token may not ask for the types, each of HubSpot's own is tried."""
    account.failure = failure
    account.refused = {*TYPE_IDS, *NAMES} - {"contacts", "notes"}
    assert await account.names() == ("contacts", "notes")


async def test_an_empty_list_is_no_list(account: Account) -> None:
    """A schema without associations is taken for none."""
    account.types = ()
    assert set(await account.names()) == TYPE_IDS.keys()


async def test_a_failure_keeps_what_is_known(account: Account) -> None:
    """While HubSpot cannot be asked the last list serves, also in a process that never asked."""
    await account.publish()
    account.failure, account.now = BAD_GATEWAY, TTL_S
    assert await account.names() == (VEHICLES, "contacts")
    account.restart()
    assert await account.names() == (VEHICLES, "contacts")


async def test_a_failure_without_any_list(account: Account) -> None:
    """Where nobody ever knew the kinds the account cannot be read."""
    account.failure = BAD_GATEWAY
    with pytest.raises(PortalFailure) as caught:
        await account.names()
    assert caught.value.kind == "server"


async def test_names_from_settings_do_not_count(account: Account) -> None:
    """What was read because settings named it is not taken for a kind of the account."""
    await account.projections.current(PORTAL, (), ["contacts", "misspelt"])

    assert await account.names() == (VEHICLES, "contacts")


async def test_later_lists_hold_at_once(account: Account) -> None:
    """Of two lists of kinds the later holds; kinds and properties each have their own time."""
    current = account.projections.current
    await current(PORTAL, ["a"], ["x"], listed_at=1_000, linked_at=1_000)
    later = await current(PORTAL, ["a"], ["x", "y"], listed_at=1_000, linked_at=2_000)
    assert (later.generation, later.associations) == (2, ("x", "y"))
    crossed = await current(PORTAL, ["a", "b"], ["x"], listed_at=3_000, linked_at=1_500)
    assert (crossed.generation, crossed.properties) == (3, ("a", "b"))
    assert crossed.associations == ("x", "y")
    assert not crossed.differs
    same = await current(PORTAL, ["a", "b"], ["x", "y"], listed_at=9_000, linked_at=9_000)
    assert same.generation == 3
    earlier = await current(PORTAL, ["a"], ["x"], listed_at=8_000, linked_at=8_000)
    assert (earlier.generation, earlier.differs) == (3, False)


@pytest.mark.parametrize(("held_at", "linked_at"), [(0, 2_000), (1_000, 0)])
async def test_other_settings_wait(account: Account, held_at: int, linked_at: int) -> None:
    """Between a list of HubSpot's and one of the settings, the one in use holds."""
    current = account.projections.current
    await current(PORTAL, ["a"], ["x"], linked_at=held_at)
    followed = await current(PORTAL, ["a"], ["y"], linked_at=linked_at)

    assert (followed.generation, followed.associations) == (1, ("x",))
    assert followed.differs


def test_kinds_go_by_name_or_id() -> None:
    """Names and ids belong together, one to one; what has no name goes by itself."""
    assert type_id_of("notes") == type_id_of("0-46") == "0-46"
    assert type_id_of("2-5") == "2-5"
    assert len(NAMES) == len(TYPE_IDS)
