"""Labels of call outcomes: the account's own, kept, and never in the way of a read."""

import asyncio
from collections.abc import Mapping

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.hubspot.dispositions import Dispositions
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.hubspot.listings import RETRY_S, TTL_S

PORTAL = 62515
OWN = {"1b5c1a4e-0001-4d0e-9d6e-5f0a2b7c8d9e": "Call back on Monday"}
CONNECTED = "f240bbac-87c9-4f6e-bf70-924b57d47db7"


class Account:
    """Answers as told, and counts how often it was asked."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self.own = own
        self.failure: Exception | None = None
        self.asked = 0
        self.now = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.labels = Dispositions(self.ask, clock=lambda: self.now).labels

    async def ask(self, portal_id: int) -> Mapping[str, str]:
        """Return the account's list once the door is open."""
        assert portal_id == PORTAL
        self.asked += 1
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return self.own


async def test_own_outcomes() -> None:
    """The account's list is what it says, HubSpot's six included where it renames them."""
    account = Account({**OWN, CONNECTED: "Spoke"})

    assert await account.labels(PORTAL) == {**OWN, CONNECTED: "Spoke"}


async def test_a_list_is_kept() -> None:
    """HubSpot is asked once until the list is stale."""
    account = Account(OWN)
    for now in (0.0, TTL_S - 1, TTL_S, TTL_S + 1):
        account.now = now
        await account.labels(PORTAL)

    assert account.asked == 2


@pytest.mark.parametrize(
    "failure",
    [
        PortalFailure(kind="forbidden", status=403),
        PortalFailure(kind="timeout"),
        RecordRefused(400),
        RedisConnectionError("away"),
        ConnectionResetError(),
    ],
)
async def test_a_failure_falls_back(failure: Exception) -> None:
    """Without a list there are no labels, and HubSpot is not asked again at once."""
    account = Account(OWN)
    account.failure = failure

    assert await account.labels(PORTAL) == {}
    assert await account.labels(PORTAL) == {}
    assert account.asked == 1


async def test_a_failure_keeps_the_stale_list() -> None:
    """A list that cannot be refreshed serves on, until it can be."""
    account = Account(OWN)
    await account.labels(PORTAL)
    account.failure = PortalFailure(kind="server", status=502)
    account.now = TTL_S

    assert await account.labels(PORTAL) == OWN
    account.failure, account.own = None, {}
    account.now += RETRY_S
    assert await account.labels(PORTAL) == {}


async def test_a_spent_budget_is_asked_again_soon() -> None:
    """Where the wait was told, the list is asked for after that wait."""
    account = Account(OWN)
    account.failure = PortalFailure(kind="budget", retry_after_ms=250)
    await account.labels(PORTAL)
    account.failure = None

    account.now = 0.25

    assert await account.labels(PORTAL) == OWN


async def test_one_asks_for_all() -> None:
    """Callers at the same time wait for one question."""
    account = Account(OWN)
    account.open.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(account.labels(PORTAL)) for _ in range(5)]
        await asyncio.sleep(0)
        account.open.set()

    assert [task.result() for task in tasks] == [OWN] * 5
    assert account.asked == 1


async def test_nobody_waits_for_a_refresh() -> None:
    """While one caller refreshes a stale list the others use it."""
    account = Account(OWN)
    await account.labels(PORTAL)
    account.now = TTL_S
    account.own = {}
    account.open.clear()
    async with asyncio.TaskGroup() as group:
        refreshing = group.create_task(account.labels(PORTAL))
        await asyncio.sleep(0)
        async with asyncio.timeout(1):
            assert await account.labels(PORTAL) == OWN
        account.open.set()

    assert refreshing.result() == {}


async def test_a_new_outcome_hastens_the_next_question() -> None:
    """An outcome that the list lacks is asked for once the list is a minute old, and only once."""
    account = Account({})
    (stranger,) = OWN
    await account.labels(PORTAL)
    account.own = OWN

    assert stranger not in await account.labels(PORTAL, [stranger])
    account.now = RETRY_S
    assert stranger in await account.labels(PORTAL, [stranger, "connected"])
    account.now = 2 * RETRY_S
    await account.labels(PORTAL, ["connected"])
    assert account.asked == 2


async def test_a_cancelled_refresh_holds_up_nobody() -> None:
    """A caller that is cancelled while it asks leaves the question to the next one."""
    account = Account(OWN)
    account.open.clear()
    task = asyncio.create_task(account.labels(PORTAL))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    account.open.set()

    assert await account.labels(PORTAL) == OWN
