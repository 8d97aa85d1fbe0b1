"""What the doctor finds about an app, its installs and its subscriptions, at the stand-in."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import msgspec
import pytest
from redis.asyncio import Redis

from jobs.accounts.bundle import issue_of, pack, unpack
from jobs.accounts.vault import Vault
from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.hubspot.transport import Transport, open_session
from jobs.hubspot.webhooks import WebhookSubscription
from jobs.ledger.ledger import pulse_of
from jobs.ledger.messages import Mark
from jobs.timing import Timing
from service.doctor.accounts import examine_accounts
from service.doctor.findings import Finding, Notes
from service.doctor.hubspot import examine_hubspot
from service.doctor.subscriptions import examine_subscriptions, judge_subscriptions
from service.inquiry import open_transport
from service.subscriptions import ABOUT_CALLS
from tests.simulator.control import Control
from tests.simulator.model.subscriptions import SUBSCRIBED
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.checkup import levels, short, todo
from tests.support.installs import REDIRECT, App, new_key

pytestmark = pytest.mark.one_redis

PUBLIC_URL = "https://calls.example.com"
TARGET = f"{PUBLIC_URL}/webhooks/hubspot"

_portals = itertools.count(660_000)


class Clinic:
    """The app, settings that name it, and what the doctor says."""

    def __init__(self, app: App, settings: Settings, transport: Transport) -> None:
        self.app = app
        self.settings = settings
        self.transport = transport

    def under(self, **settings: object) -> Settings:
        """Return the settings with some changed."""
        return msgspec.structs.replace(self.settings, **settings)

    async def accounts(self, **settings: object) -> Sequence[Finding]:
        """Return the findings about the app and its installs."""
        return await examine_accounts(self.under(**settings), self.transport)

    async def subscriptions(self, **settings: object) -> Sequence[Finding]:
        """Return the findings about the app's subscriptions."""
        return await examine_subscriptions(self.under(**settings), self.transport, None)


@pytest.fixture
async def clinic(
    redis: Redis, redis_url: str, namespace: str, simulator: Running
) -> AsyncIterator[Clinic]:
    """The app at the stand-in, installed nowhere."""
    key = new_key()
    settings = Settings(
        redis_url=redis_url,
        namespace=namespace,
        public_url=PUBLIC_URL,
        hubspot_api_url=simulator.url,
        hubspot_client_id=simulator.client_id,
        hubspot_client_secret=(Secret(simulator.client_secret),),
        hubspot_redirect_url=REDIRECT,
        token_keys=(key,),
        call_properties=SUBSCRIBED,
    )
    async with open_session() as session, open_transport(settings) as transport:
        app = App(redis, namespace, simulator, session)
        app.vault = Vault([key])
        yield Clinic(app, settings, transport)


@pytest.fixture
async def portal_id(control: Control) -> int:
    """An account that has not installed the app."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    return portal_id


async def test_no_app(clinic: Clinic) -> None:
    """Settings without an app, or with half of one, have no installs to examine."""
    assert await clinic.accounts(hubspot_client_id="") == ()
    assert await clinic.accounts(token_keys=()) == ()


async def test_an_app_that_nobody_installed(clinic: Clinic) -> None:
    """HubSpot's answer to a token of nobody tells that it knows the app."""
    found = await clinic.accounts()
    assert levels(found) == {"app": "ok", "installs": "warning"}
    assert "callstream accounts add" in todo(found, "installs")


async def test_a_wrong_secret(clinic: Clinic) -> None:
    """An app that HubSpot does not take is a problem, told without its secret."""
    found = await clinic.accounts(hubspot_client_secret=(Secret("an0ther"),))
    assert levels(found)["app"] == "problem"
    assert "HUBSPOT_CLIENT_SECRET" in todo(found, "app")
    assert "an0ther" not in str(found)


async def test_installed_accounts(clinic: Clinic, portal_id: int) -> None:
    """An installed account is well, and is the one that is asked what it may read."""
    await clinic.app.install(portal_id)
    assert levels(await clinic.accounts()) == {"app": "ok", "installs": "ok", "keys": "ok"}
    found = short(await examine_hubspot(clinic.settings, clinic.transport, None))
    assert found["account"][1].startswith(f"account {portal_id}")
    assert found["scopes"][0] == "ok"
    named = await examine_hubspot(clinic.settings, clinic.transport, 7)
    assert [(finding.check, finding.level) for finding in named] == [("token", "problem")]
    assert "no token for account 7" in named[0].said


async def test_a_disconnected_account(clinic: Clinic, portal_id: int, control: Control) -> None:
    """An account whose refresh token is void is told with the reason, and not asked."""
    await clinic.app.install(portal_id, age_ms=1_800_001)
    await control.install(installed=False, portal_id=portal_id)
    with pytest.raises(Exception, match="disconnected"):
        await clinic.app.process().token(portal_id)
    found = await clinic.accounts()
    assert levels(found)["installs"] == "warning"
    assert f"1 of 1 disconnected: {portal_id} (" in short(found)["installs"][1]
    (finding,) = await examine_hubspot(clinic.settings, clinic.transport, None)
    assert finding.level == "warning"


async def test_a_token_that_is_not_refreshed(
    clinic: Clinic, portal_id: int, control: Control
) -> None:
    """An account whose token could not be refreshed is named."""
    await clinic.app.install(portal_id, age_ms=1_800_001)
    fault = await control.fault(Fault(effect="status", status=503, operation="oauth.token"))
    with pytest.raises(Exception, match="server"):
        await clinic.app.process().token(portal_id)
    await control.clear_faults(fault)
    found = short(await clinic.accounts())
    assert found["tokens"] == ("warning", f"not refreshed of account {portal_id}")


async def test_keys(clinic: Clinic, portal_id: int) -> None:
    """Tokens under an older key ask for a rotation; those under a lost key for that key."""
    await clinic.app.install(portal_id)
    older = await clinic.accounts(token_keys=(new_key(), *clinic.settings.token_keys))
    lost = await clinic.accounts(token_keys=(new_key(),))
    assert levels(older)["keys"] == "warning"
    assert "accounts rotate" in todo(older, "keys")
    assert levels(lost)["keys"] == "problem"
    assert short(lost)["keys"][1] == f"the tokens of {portal_id} do not open"


async def test_strangers(clinic: Clinic) -> None:
    """Notifications from accounts that have not installed the app are told."""
    await clinic.app.ledger.mark([Mark(7, "512", ()), Mark(8, "512", ())])
    found = short(await clinic.accounts())
    assert found["notifications"] == ("warning", "from account 7, 8, not installed here")


async def test_tokens_that_went_with_redis(
    clinic: Clinic, redis: Redis, namespace: str, portal_id: int
) -> None:
    """After Redis lost its data it is told whose tokens are missing, as soon as it is known.

    What an export brings back is missing no longer.
    """
    app = clinic.app
    await app.install(portal_id)
    [record] = await app.register.records([portal_id])
    passenger = unpack(app.vault, pack(app.vault, [record]))[0]
    pulse = pulse_of(redis, namespace, Timing())
    await pulse.look()
    await redis.flushall()
    await pulse.look()

    found = short(await clinic.accounts())
    level, said = found["installs"]
    assert level == "warning"
    assert said.startswith("none: Redis lost its data at 20")
    await app.ledger.mark([Mark(portal_id, "512", ())])
    findings = await clinic.accounts()
    level, said = short(findings)["notifications"]
    assert level == "warning"
    assert said.startswith(f"from account {portal_id}, not installed here: Redis lost its data")
    assert "callstream accounts import" in todo(findings, "notifications")

    issue = issue_of(app.vault, passenger, await app.register.now())
    await app.register.install(portal_id, issue)
    assert levels(await clinic.accounts()) == {"app": "ok", "installs": "ok", "keys": "ok"}


async def test_redis_is_away(clinic: Clinic) -> None:
    """Without Redis the app is examined all the same."""
    for url in ("", "redis://127.0.0.1:1"):
        found = levels(await clinic.accounts(redis_url=url))
        assert found == {"app": "ok", "installs": "warning"}


class Management:
    """The stand-in's webhook management, through which the app is changed."""

    def __init__(self, simulator: Running, http: aiohttp.ClientSession) -> None:
        self._base = f"{simulator.url}/webhooks/2026-03/{simulator.app_id}"
        self._key = {"hapikey": simulator.developer_key}
        self._http = http

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        """Return the answer to a request of the developer's."""
        url = f"{self._base}{path}"
        async with self._http.request(method, url, params=self._key, json=body) as response:
            response.raise_for_status()
            return await response.read()

    async def target(self, url: str) -> None:
        """Let notifications go somewhere."""
        throttling = {"maxConcurrentRequests": 10}
        await self.ask("PUT", "/settings", {"targetUrl": url, "throttling": throttling})

    async def find(self, kind: str, name: str | None = None) -> str:
        """Return the id of a subscription."""
        listed = msgspec.json.decode(await self.ask("GET", "/subscriptions"))["results"]
        return next(
            str(entry["id"])
            for entry in listed
            if (entry["eventType"], entry.get("propertyName")) == (kind, name)
        )


@pytest.fixture
async def management(simulator: Running, control: Control) -> AsyncIterator[Management]:
    """The app's webhooks, which lead to us; given back as they were."""
    async with aiohttp.ClientSession() as http:
        management = Management(simulator, http)
        await management.target(TARGET)
        yield management
        await control.target("")


async def test_subscriptions_as_they_should_be(
    clinic: Clinic, portal_id: int, management: Management
) -> None:
    """An app that is subscribed to all that is read, and calls us, is well."""
    del management
    await clinic.app.install(portal_id)
    found = short(await clinic.subscriptions())
    assert found["target"] == ("ok", TARGET)
    assert found["app"] == ("ok", f"all {len(ABOUT_CALLS) + len(SUBSCRIBED)} are there and active")


async def test_another_target(clinic: Clinic, portal_id: int, management: Management) -> None:
    """Notifications that go elsewhere are told with both addresses."""
    await clinic.app.install(portal_id)
    await management.target("https://elsewhere.example.com/hook")
    found = short(await clinic.subscriptions())
    assert found["target"][0] == "problem"
    assert "elsewhere" in found["target"][1]
    assert TARGET in found["target"][1]
    assert levels(await clinic.subscriptions(public_url=""))["target"] == "warning"


async def test_missing_and_paused(clinic: Clinic, portal_id: int, management: Management) -> None:
    """What is missing or paused is named: a kind is a problem, a property a warning."""
    await clinic.app.install(portal_id)
    paused = [
        await management.find("object.deletion"),
        await management.find("object.propertyChange", "hs_call_body"),
    ]
    for number in paused:
        await management.ask("PATCH", f"/subscriptions/{number}", {"active": False})
    try:
        found = await clinic.subscriptions(call_properties=(*SUBSCRIBED, "our_score"))
    finally:
        for number in paused:
            await management.ask("PATCH", f"/subscriptions/{number}", {"active": True})
    assert short(found) == {
        "target": ("ok", TARGET),
        "missing properties": ("warning", "our_score: their changes are not told"),
        "paused kinds": ("problem", "object.deletion: such changes are not told"),
        "paused properties": ("warning", "hs_call_body: their changes are not told"),
    }
    assert "callstream subscriptions" in todo(found, "paused kinds")


def test_an_active_subscription_counts() -> None:
    """Where a paused subscription stands beside an active one, nothing is wanting."""
    notes = Notes("subscriptions")
    found = [
        WebhookSubscription(event_type=kind, object_type_id="0-48", active=active)
        for active in (True, False)
        for kind in ABOUT_CALLS
    ]
    judge_subscriptions(found, (), notes)
    judge_subscriptions([], (), notes)
    assert levels(notes.findings) == {"app": "ok", "missing kinds": "problem"}


async def test_all_properties(clinic: Clinic, portal_id: int, management: Management) -> None:
    """With `*` the account is asked for what there should be."""
    del management
    await clinic.app.install(portal_id)
    found = await clinic.subscriptions(call_properties=("*",))
    assert levels(found)["missing properties"] == "warning"
    assert "and 46 more: " in short(found)["missing properties"][1]


async def test_what_hubspot_does_not_tell(clinic: Clinic, portal_id: int, control: Control) -> None:
    """Where the token may not ask, it is said how many there should be, and what prints them."""
    token = Secret((await control.open_account(portal_id)).token)
    (finding,) = await clinic.subscriptions(hubspot_client_id="", hubspot_access_token=token)
    assert (finding.check, finding.level) == ("app", "warning")
    assert "the 25 it needs" in finding.said
    assert "callstream subscriptions" in finding.todo


async def test_nobody_to_ask_with(clinic: Clinic) -> None:
    """Without any token nothing can be asked."""
    (finding,) = await clinic.subscriptions()
    assert finding.level == "warning"


async def test_too_many_properties(clinic: Clinic, portal_id: int) -> None:
    """More properties than an app may subscribe to are a problem."""
    await clinic.app.install(portal_id)
    names = tuple(f"property_{number}" for number in range(1_000))
    found = await clinic.subscriptions(call_properties=names)
    assert "an app may have 1000 subscriptions" in found[0].said
    assert found[0].level == "problem"
