"""One stand-in for the session, and a fresh account in it for every test that asks."""

import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.context import open_context
from tests.simulator.control import Control
from tests.simulator.process import ROOT, Running
from tests.support.desk import Desk, tell_owner
from tests.support.reconciling import Reconciler, reconciling

_portals = itertools.count(1_000)


@pytest.fixture(scope="session")
def simulator() -> Iterator[Running]:
    """A running stand-in that sends no notifications of its own."""
    command = [sys.executable, "-m", "tests.simulator", "--port=0", "--knob=rate_limit=1000000"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield msgspec.json.decode(process.stdout.readline(), type=Running)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
async def control(simulator: Running) -> AsyncIterator[Control]:
    """The stand-in's control, with its faults cleared afterwards."""
    async with Control(simulator.url) as control:
        yield control
        await control.clear_faults()


@pytest.fixture
async def desk(
    redis: Redis, redis_url: str, namespace: str, simulator: Running, control: Control
) -> AsyncIterator[Desk]:
    """A worker's desk for a new, connected account of the stand-in."""
    portal_id = next(_portals)
    account = await control.open_account(portal_id)
    settings = Settings(
        redis_url=redis_url,
        streams_redis_url=redis_url,
        namespace=namespace,
        hubspot_access_token=Secret(account.token),
        hubspot_portal_id=portal_id,
        hubspot_api_url=simulator.url,
        hubspot_rate_limit=1_000_000,
        call_properties=("hs_call_title", "hs_call_body", "hs_call_disposition"),
        call_associations=("contacts", "companies"),
    )
    await tell_owner(redis, namespace, account)
    async with open_context(settings, slots=20) as context:
        desk = Desk(context, redis, portal_id, namespace)
        await desk.context.ledger.connect(portal_id)
        yield desk


@pytest.fixture
async def reconciler(
    redis: Redis, redis_url: str, namespace: str, simulator: Running, control: Control
) -> AsyncIterator[Reconciler]:
    """A new account whose search is up to date, and whose properties have been read before."""
    portal_id = next(_portals)
    async with reconciling(simulator.url, control, portal_id, redis, redis_url, namespace) as one:
        yield one
    await control.turn(search_delay_ms=2_000, search_limit=5)
