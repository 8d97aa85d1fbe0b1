"""Tokens of accounts that have installed the app: fresh for all, refreshed by one."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.accounts.accounts import Accounts
from jobs.accounts.installed import Installed
from jobs.accounts.static import StaticAccount
from jobs.accounts.tokens import issue_of
from jobs.accounts.vault import Vault
from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.oauth import Grant
from jobs.hubspot.transport import open_session
from jobs.ledger.messages import Mark
from jobs.redis import command
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.installs import LIFE_MS, QUICK, App, counted, new_key
from tests.support.waiting import until

OLD_MS = LIFE_MS - 60_000
"""So old a token is due to be refreshed and may still be used."""
EXPIRED_MS = LIFE_MS + 1

VOID = '{"status":"BAD_REFRESH_TOKEN","message":"void","error":"invalid_grant"}'

_portals = itertools.count(800_000)


@pytest.fixture
async def portal_id(control: Control) -> int:
    """An account that has not installed the app."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    return portal_id


@pytest.fixture
async def app(redis: Redis, namespace: str, simulator: Running) -> AsyncIterator[App]:
    """The app at the stand-in."""
    async with open_session() as session:
        yield App(redis, namespace, simulator, session)


async def tokens(processes: list[Installed], portal_id: int, **more: Secret) -> list[Secret | None]:
    """Ask all processes for a token at once, each for three jobs."""
    return await asyncio.gather(
        *(process.token(portal_id, **more) for process in processes for _ in range(3))
    )


def fleet(app: App) -> list[Installed]:
    """Return four processes."""
    return [app.process() for _ in range(4)]


async def failing(process: Installed, portal_id: int) -> PortalFailure:
    """Return why there is no token."""
    with pytest.raises(PortalFailure) as caught:
        await process.token(portal_id)
    return caught.value


async def refreshing(app: App, portal_id: int) -> None:
    """Wait until somebody refreshes the account's tokens."""
    record = f"tenant-1:accounts:{portal_id}"

    async def leased() -> bool:
        return await command(app.redis, "HGET", record, "lease") is not None

    await until(leased)


async def test_a_fresh_token_is_used_as_it_is(app: App, control: Control, portal_id: int) -> None:
    """Nothing is asked of HubSpot for a token that lives for long."""
    grant = await app.install(portal_id)
    async with counted(control) as refreshes:
        assert set(await tokens(fleet(app), portal_id)) == {grant.access}
        assert await refreshes() == 0


async def test_an_account_without_install_has_none(app: App, portal_id: int) -> None:
    """There is no token for an account that has not installed the app, until it has."""
    process = app.process()
    assert await process.token(portal_id) is None
    grant = await app.install(portal_id)
    await asyncio.sleep(0.002)  # a look is good for a millisecond here
    assert await process.token(portal_id) == grant.access


async def test_one_refreshes_ahead(app: App, control: Control, portal_id: int) -> None:
    """Towards a token's end one process gets a new one; the others go on with it meanwhile."""
    grant = await app.install(portal_id, age_ms=OLD_MS)
    async with counted(control, delay_ms=300) as refreshes:
        handed_out = await tokens(fleet(app), portal_id)
        assert await refreshes() == 1
    others = [token for token in handed_out if token != grant.access]
    assert 1 <= len(others) <= 3, "the jobs of the process that refreshed"
    assert len(set(others)) == 1
    assert set(await tokens(fleet(app), portal_id)) == set(others)


async def test_jobs_beside_a_refresh_go_on(app: App, control: Control, portal_id: int) -> None:
    """Other jobs of the process that refreshes go on with the token that they had."""
    nearly_due_ms = LIFE_MS - QUICK.token_margin_ms - QUICK.token_ahead_ms - 100
    grant = await app.install(portal_id, age_ms=nearly_due_ms)
    process = app.process()
    assert await process.token(portal_id) == grant.access
    await asyncio.sleep(0.1)
    async with counted(control, delay_ms=500):
        refresh = asyncio.create_task(process.token(portal_id))
        await refreshing(app, portal_id)
        async with asyncio.timeout(0.2):
            assert await process.token(portal_id) == grant.access
        assert await refresh != grant.access


async def test_all_wait_for_one(app: App, control: Control, portal_id: int) -> None:
    """After a token's end all processes wait for the one that gets a new one."""
    grant = await app.install(portal_id, age_ms=EXPIRED_MS)
    async with counted(control, delay_ms=200) as refreshes:
        (token,) = set(await tokens(fleet(app), portal_id))
        assert await refreshes() == 1
    assert token != grant.access


async def test_a_refused_token_is_refreshed_once(
    app: App, control: Control, portal_id: int
) -> None:
    """A token that HubSpot answers 401 is replaced once, however many jobs were refused."""
    grant = await app.install(portal_id)
    processes = fleet(app)
    await tokens(processes, portal_id)
    async with counted(control, delay_ms=100) as refreshes:
        (token,) = set(await tokens(processes, portal_id, refused=grant.access))
        assert token != grant.access
        assert set(await tokens(processes, portal_id, refused=grant.access)) == {token}
        assert await refreshes() == 1


async def test_a_process_that_dies_while_refreshing_holds_nobody_up(
    app: App, control: Control, portal_id: int, redis: Redis, namespace: str
) -> None:
    """What a dead process began is taken over when its lease has run out."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    assert (await app.register.look(portal_id, "dies")).what == "refresh"
    assert (await app.register.look(portal_id, "waits")).what == "wait"
    await command(redis, "HSET", f"{namespace}:accounts:{portal_id}", "lease", "dies:1")
    async with counted(control) as refreshes:
        assert await app.process().token(portal_id) is not None
        assert await refreshes() == 1


async def test_a_clock_that_is_set_back_holds_nobody_up(
    app: App, control: Control, portal_id: int
) -> None:
    """A lease that ends an hour from now is none: no holder has more than a few seconds."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    later = await app.register.now() + 3_600_000
    await command(app.redis, "HSET", f"tenant-1:accounts:{portal_id}", "lease", f"other:{later}")
    async with counted(control) as refreshes, asyncio.timeout(5):
        assert await app.process().token(portal_id) is not None
        assert await refreshes() == 1


async def test_a_void_grant_disconnects(
    app: App, control: Control, portal_id: int, redis: Redis
) -> None:
    """After an uninstall the account is disconnected: marks stay, HubSpot is asked no more."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    await app.ledger.mark([Mark(portal_id, "512", ())])
    await control.install(installed=False, portal_id=portal_id)
    process = app.process()

    async with counted(control) as refreshes:
        failure = await failing(process, portal_id)
        assert (await failing(app.process(), portal_id)).kind == "disconnected"
        assert await refreshes() == 1

    assert str(failure) == ("disconnected: HubSpot refuses its refresh token (BAD_REFRESH_TOKEN)")
    room = f"tenant-1:ledger:{portal_id}"
    assert await command(redis, "HMGET", room, "open", "why") == [
        b"0",
        b"HubSpot refuses its refresh token (BAD_REFRESH_TOKEN)",
    ]
    assert (await app.ledger.claim(portal_id)).token == ""
    assert await app.ledger.strangers() == set(), "its marks came while it was connected"


async def test_a_new_install_wakes_a_disconnected_account(
    app: App, control: Control, portal_id: int
) -> None:
    """A new install brings tokens, and the marks that waited are read."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    await control.install(installed=False, portal_id=portal_id)
    process = app.process()
    await failing(process, portal_id)
    await app.ledger.mark([Mark(portal_id, "512", ())])

    grant = await app.grant(portal_id)
    bells = await app.register.install(portal_id, issue_of(app.vault, portal_id, grant, 0))

    assert [bell.portal_id for bell in bells] == [portal_id]
    assert await process.token(portal_id) == grant.access
    assert [call.call_id for call in (await app.ledger.claim(portal_id)).calls] == ["512"]


async def test_an_install_during_a_refusal_stands(
    app: App, control: Control, portal_id: int
) -> None:
    """A refusal of earlier tokens does not disconnect an account that was installed meanwhile."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    grant = await app.grant(portal_id)
    await control.fault(Fault(effect="delay", delay_ms=300, operation="oauth.token"))
    refusal = Fault(effect="status", status=400, operation="oauth.token", body=VOID)
    await control.fault(refusal)

    waiting = asyncio.create_task(app.process().token(portal_id))
    await refreshing(app, portal_id)
    await app.register.install(portal_id, issue_of(app.vault, portal_id, grant, 0))

    assert await waiting == grant.access
    assert await app.process().token(portal_id) == grant.access


async def test_an_install_during_a_refresh_stands(
    app: App, control: Control, portal_id: int
) -> None:
    """Tokens that were asked for before a new install do not replace what that brought."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    grant = await app.grant(portal_id)
    async with counted(control, delay_ms=300):
        waiting = asyncio.create_task(app.process().token(portal_id))
        await refreshing(app, portal_id)
        await app.register.install(portal_id, issue_of(app.vault, portal_id, grant, 0))
        assert await waiting == grant.access
    assert await app.process().token(portal_id) == grant.access


async def test_a_failure_ahead_costs_nothing(app: App, control: Control, portal_id: int) -> None:
    """While the token can be used, a refresh that fails is tried again later and hinders nobody."""
    grant = await app.install(portal_id, age_ms=OLD_MS)
    processes = fleet(app)
    fault = Fault(effect="status", status=503, operation="oauth.token")
    fault_id = await control.fault(fault)
    for _ in range(3):
        assert set(await tokens(processes, portal_id)) == {grant.access}
    assert (await control.faults()).struck[fault_id] == 1

    await control.clear_faults()

    async def refreshed() -> bool:
        return await processes[0].token(portal_id) != grant.access

    await until(refreshed)


async def test_a_failure_after_the_end_is_told_to_all(
    app: App, control: Control, portal_id: int
) -> None:
    """Without a usable token a failed refresh is everybody's, with the time of the next attempt."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    fault = Fault(effect="status", status=429, operation="oauth.token", retry_after="7")
    fault_id = await control.fault(fault)
    failures = [await failing(process, portal_id) for process in fleet(app)]
    assert {failure.kind for failure in failures} == {"rate_limited"}
    assert all(6_000 < (failure.retry_after_ms or 0) <= 7_000 for failure in failures)
    assert (await control.faults()).struck[fault_id] == 1


async def test_a_wrong_secret_is_not_the_accounts_fault(app: App, portal_id: int) -> None:
    """An app that HubSpot does not know disconnects nobody."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    app.oauth = app.client("wrong")
    assert (await failing(app.process(), portal_id)).kind == "app_refused"
    (record,) = await app.register.records([portal_id])
    assert record.void == ""


async def test_tokens_under_an_unknown_key_are_told(app: App, portal_id: int) -> None:
    """Tokens that our keys do not open are said to be so, and stay as they are."""
    grant = await app.install(portal_id)
    key, app.vault = app.vault, Vault([new_key()])
    failure = await failing(app.process(), portal_id)
    assert failure.kind == "sealed"
    assert "TOKEN_KEYS" in str(failure)
    app.vault = key
    assert await app.process().token(portal_id) == grant.access


async def test_tokens_of_another_account_do_not_open(
    app: App, control: Control, portal_id: int, redis: Redis
) -> None:
    """Sealed tokens that somebody moves to another account's record are not used there."""
    await app.install(portal_id)
    other = next(_portals)
    await control.open_account(other, installed=False)
    await app.install(other)
    (record,) = await app.register.records([other])
    await command(redis, "HSET", f"tenant-1:accounts:{portal_id}", "sealed", record.sealed)
    assert (await failing(app.process(), portal_id)).kind == "sealed"


async def test_a_refreshed_token_of_another_account_is_not_kept(
    app: App, control: Control, portal_id: int
) -> None:
    """If HubSpot answers with another account's token, both are named, and nothing is kept."""
    await app.install(portal_id, age_ms=EXPIRED_MS)
    answer = {"access_token": "a", "refresh_token": "b", "expires_in": 1800, "hub_id": 7}
    body = msgspec.json.encode(answer).decode()
    fault = Fault(effect="status", status=200, operation="oauth.token", body=body)
    await control.fault(fault)
    failure = await failing(app.process(), portal_id)
    assert failure.kind == "wrong_account"
    await control.clear_faults()


async def test_both_kinds_of_account(app: App, portal_id: int, redis: Redis) -> None:
    """What an install brought comes before the settings' token, which serves its account only."""

    async def owner(_: Secret) -> int:
        return 777

    static = StaticAccount(redis, "tenant-1", owner, token=Secret("pat-of-777"), portal_id=None)
    accounts = Accounts(static=static, installed=app.process())
    grant: Grant = await app.install(portal_id)
    assert await accounts.token(portal_id) == grant.access
    assert await accounts.token(777) == Secret("pat-of-777")
    with pytest.raises(PortalFailure, match="belongs to account 777, not to 778"):
        await accounts.token(778)
