"""HubSpot's API is out, and with it the endpoint that refreshes tokens."""

import itertools
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from jobs.accounts.accounts import Accounts
from jobs.hubspot.breaker import TRIPS_AT
from jobs.hubspot.budget import Budget
from jobs.hubspot.client import HubSpot
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport, open_session
from jobs.redis import command
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.installs import LIFE_MS, QUICK, App
from tests.support.waiting import until

EXPIRED_MS = LIFE_MS + 1

_portals = itertools.count(870_000)


@pytest.fixture
async def app(redis: Redis, namespace: str, simulator: Running) -> AsyncIterator[App]:
    """The app at the stand-in."""
    async with open_session() as session:
        yield App(redis, namespace, simulator, session)


@pytest.fixture
async def hubspot(
    app: App, redis: Redis, namespace: str, simulator: Running
) -> AsyncIterator[HubSpot]:
    """A worker's client for all accounts of the app."""
    async with open_session() as session:
        transport = Transport(session, simulator.url, QUICK)
        budget = Budget(redis, namespace, QUICK, rate_limit=1_000_000)
        accounts = Accounts(static=None, installed=app.process())
        yield HubSpot(transport, Paths("2026-03"), budget, accounts)


async def installed(app: App, control: Control, age_ms: int) -> int:
    """Return an account whose access token is so old."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    await app.install(portal_id, age_ms=age_ms)
    return portal_id


@pytest.mark.one_redis
@pytest.mark.parametrize("effect", ["status", "cut"])
async def test_tokens_that_cannot_be_refreshed_open_the_breaker(
    app: App, hubspot: HubSpot, control: Control, effect: str
) -> None:
    """Accounts whose tokens have expired notice an outage like all others, and are probed as one.

    Each of them would try to refresh its token otherwise, by the thousand, for as long as it lasts.
    """
    portals = [await installed(app, control, EXPIRED_MS) for _ in range(TRIPS_AT)]
    await control.fault(Fault(effect=effect, status=503))  # type: ignore[arg-type]
    for portal_id in portals:
        assert await command(app.redis, "EXISTS", "tenant-1:breaker") == 0
        with pytest.raises(PortalFailure):
            await hubspot.property_names(portal_id)
    assert await command(app.redis, "EXISTS", "tenant-1:breaker") == 1
    await control.clear_faults()


@pytest.mark.one_redis
async def test_a_refused_grant_is_no_outage(app: App, hubspot: HubSpot, control: Control) -> None:
    """What HubSpot says about an account's own tokens opens nothing."""
    portal_id = await installed(app, control, EXPIRED_MS)
    await control.fault(
        Fault(
            effect="status",
            status=400,
            operation="oauth.token",
            body='{"status":"BAD_REFRESH_TOKEN"}',
        )
    )
    with pytest.raises(PortalFailure):
        await hubspot.property_names(portal_id)
    assert await command(app.redis, "EXISTS", "tenant-1:breaker:failing") == 0


@pytest.mark.one_redis
async def test_an_endpoint_that_is_out_alone_is_left_alone(app: App, control: Control) -> None:
    """One process asks a token endpoint that fails a few times, not once for every account."""
    portals = [await installed(app, control, EXPIRED_MS) for _ in range(2 * TRIPS_AT)]
    process = app.process()
    fault_id = await control.fault(Fault(effect="status", status=503, operation="oauth.token"))
    for portal_id in portals:
        with pytest.raises(PortalFailure) as caught:
            await process.token(portal_id)
        assert caught.value.kind == "server"
    assert (await control.faults()).struck[fault_id] == TRIPS_AT
    await control.clear_faults()

    async def is_refreshed() -> bool:
        try:
            return await process.token(portals[-1]) is not None
        except PortalFailure:
            return False

    await until(is_refreshed)
