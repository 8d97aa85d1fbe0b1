"""The install flow as browsers meet it: a served process, and the stand-in's consent page."""

import asyncio
import itertools
import re
from collections.abc import Iterator

import msgspec
import pytest
from cryptography.fernet import Fernet
from msgspec.structs import replace
from redis.asyncio import Redis

from jobs.accounts.invitations import Invitations
from jobs.accounts.pending import AT_MOST
from jobs.accounts.tokens import unseal
from jobs.accounts.vault import Vault
from jobs.config.values import Secret
from jobs.ledger.hints import Hint
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.redis import command
from jobs.timing import Timing
from service.embedded.server import EmbeddedRedis
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.browser import INSTALL, Browser, query_of
from tests.support.installs import counted
from tests.support.redis import MakeRedis, keys_in
from tests.support.served import Reply, Served, served

pytestmark = pytest.mark.one_redis

KEY = Fernet.generate_key().decode()
CALLBACK = "/oauth/callback"
A_DAY_MS = 86_400_000

_portals = itertools.count(900_000)


def app_settings(running: Running) -> dict[str, str]:
    """Return the settings of an app at the stand-in."""
    return {
        "HUBSPOT_API_URL": running.url,
        "HUBSPOT_CLIENT_ID": running.client_id,
        "HUBSPOT_CLIENT_SECRET": running.client_secret,
        "HUBSPOT_REDIRECT_URL": f"https://hooks.example.com{CALLBACK}",
        "TOKEN_KEYS": KEY,
    }


@pytest.fixture(scope="module")
def invited(redis_server: EmbeddedRedis, simulator: Running) -> Iterator[Served]:
    """A service that takes accounts by invitation only."""
    with served(redis_server.url, **app_settings(simulator)) as service:
        yield service


@pytest.fixture(scope="module")
def open_to_all(redis_server: EmbeddedRedis, simulator: Running) -> Iterator[Served]:
    """A service that anybody may connect to."""
    settings = app_settings(simulator) | {"OAUTH_ALLOWED_PORTALS": "*"}
    with served(redis_server.url, **settings) as service:
        yield service


async def new_account(control: Control) -> int:
    """Return an account that has not installed the app."""
    portal_id = next(_portals)
    await control.open_account(portal_id, installed=False)
    return portal_id


@pytest.fixture
async def portal_id(control: Control) -> int:
    """An account that has not installed the app."""
    return await new_account(control)


@pytest.fixture
async def links(redis: Redis, namespace: str) -> Invitations:
    """The links that are out."""
    return Invitations(redis, namespace)


async def link_to(links: Invitations, portal_id: int | None = None) -> str:
    """Return a new link, without the host."""
    word = await links.make(portal_id, A_DAY_MS)
    return f"{INSTALL}?invitation={word.reveal()}"


async def connected(redis: Redis) -> set[int]:
    """Return the accounts that are installed, and open in the ledger."""
    portals = {int(member) for member in await redis.zrange("tenant-1:accounts:installed", 0, -1)}
    for portal_id in portals:
        assert await command(redis, "HGET", f"tenant-1:ledger:{portal_id}", "open") == b"1"
    return portals


def title_of(reply: Reply) -> str:
    """Return the title of a page, which is one of ours."""
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    found = re.search(r"<h1>(.+?)</h1>", reply.body.decode())
    assert found is not None
    return found[1]


async def test_an_account_connects_itself(
    open_to_all: Served, redis: Redis, portal_id: int, control: Control
) -> None:
    """From the link to the page of success: the account's tokens are kept, encrypted, and work."""
    reply = await Browser(open_to_all.port).install(portal_id)

    assert (reply.status, title_of(reply)) == (200, f"Account {portal_id} is connected")
    assert await connected(redis) == {portal_id}
    sealed = await command(redis, "HGET", f"tenant-1:accounts:{portal_id}", "sealed")
    assert isinstance(sealed, bytes)
    tokens = unseal(Vault([Secret(KEY)]), portal_id, sealed)
    assert tokens.access.reveal().startswith("na1-access-")
    assert tokens.refresh.reveal().startswith("na1-refresh-")
    assert await command(redis, "HGET", f"tenant-1:accounts:{portal_id}", "scopes") == (
        b"oauth crm.objects.contacts.read crm.objects.companies.read crm.objects.deals.read tickets"
    )
    assert portal_id in {account.portal_id for account in await control.accounts()}


async def test_calls_that_waited_are_rung_for(
    open_to_all: Served, redis: Redis, namespace: str, portal_id: int
) -> None:
    """Calls that were notified before the install are rung for at once."""
    ledger = Ledger(redis, namespace, Timing())
    await ledger.mark([Mark(portal_id, "512", (Hint("creation", 1),))])
    await Browser(open_to_all.port).install(portal_id)
    assert await redis.zcard("tenant-1:callstream:live") == 1


async def test_what_goes_to_hubspot(open_to_all: Served) -> None:
    """The consent page is told the app, the scopes, a state, and a PKCE challenge."""
    browser = Browser(open_to_all.port)
    query = query_of(await browser.begin())
    assert query["redirect_uri"] == f"https://hooks.example.com{CALLBACK}"
    assert "crm.objects.contacts.read" in query["scope"].split()
    assert query["code_challenge_method"] == "S256"
    assert len(query["state"]) == len(query["code_challenge"]) == 43
    again = query_of(await browser.begin())
    assert again["state"] != query["state"]
    assert again["code_challenge"] != query["code_challenge"]


async def test_the_cookie_is_for_this_flow_only(open_to_all: Served) -> None:
    """The cookie is out of reach of scripts, other sites, other hosts and plain http."""
    reply = await Browser(open_to_all.port).open(INSTALL)
    name, _, attributes = reply.headers["Set-Cookie"].partition("=")
    assert name == "__Host-callstream-install"
    words = {word.strip().lower() for word in attributes.split(";")[1:]}
    assert words == {"max-age=600", "path=/", "httponly", "secure", "samesite=lax"}


async def test_no_answer_is_kept_or_told_on(open_to_all: Served, portal_id: int) -> None:
    """Addresses with words in them are neither cached nor sent on, pages load and run nothing."""
    browser = Browser(open_to_all.port)
    first = await browser.open(INSTALL)
    last = await browser.open(await browser.agree(first.headers["Location"], portal_id))
    for reply in (first, last):
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        policy = reply.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


async def test_plain_http_has_a_plain_cookie(redis_url: str, simulator: Running) -> None:
    """Without https, as on a developer's machine, the cookie asks for nothing that http lacks."""
    settings = app_settings(simulator) | {
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "OAUTH_ALLOWED_PORTALS": "*",
    }
    with served(redis_url, **settings) as service:
        cookie = (await Browser(service.port).open(INSTALL)).headers["Set-Cookie"].lower()
    assert cookie.startswith("callstream-install=")
    assert "secure" not in cookie


async def test_without_an_app_there_are_no_routes(redis_url: str) -> None:
    """Where the settings name no app the flow does not exist."""
    with served(redis_url) as service:
        for target in (INSTALL, CALLBACK):
            assert (await service.ask("GET", target)).status == 404


async def test_nobody_is_let_in_without_a_link(
    invited: Served, redis: Redis, portal_id: int
) -> None:
    """By invitation means that without a link nobody even gets to HubSpot."""
    reply = await Browser(invited.port).open(INSTALL)
    assert (reply.status, title_of(reply)) == (403, "An install link is needed")
    assert await keys_in(redis) == set()
    assert portal_id


async def test_a_link_works_once(
    invited: Served, links: Invitations, redis: Redis, portal_id: int, control: Control
) -> None:
    """A link lets one account in; a second one, even if it was begun before, is turned away."""
    link = await link_to(links)
    first, second = Browser(invited.port), Browser(invited.port)
    late = await second.begin(link)

    assert (await first.install(portal_id, link)).status == 200

    other = await new_account(control)
    for reply in (await second.open(await second.agree(late, other)), await first.open(link)):
        assert (reply.status, title_of(reply)) == (403, "This link is not good any more")
    assert await connected(redis) == {portal_id}


@pytest.mark.parametrize("word", ["", "x", "A" * 43, "%00", "A" * 10_000])
async def test_a_link_that_never_was(invited: Served, redis: Redis, word: str) -> None:
    """Any other word is turned away like a spent link."""
    reply = await Browser(invited.port).open(f"{INSTALL}?invitation={word}")
    assert (reply.status, title_of(reply)) == (403, "This link is not good any more")
    assert await keys_in(redis) == set()


async def test_a_link_for_one_account(
    invited: Served, links: Invitations, redis: Redis, portal_id: int, control: Control
) -> None:
    """A link for one account connects no other, and stays good for the one it is for."""
    other = await new_account(control)
    link, browser = await link_to(links, portal_id), Browser(invited.port)

    reply = await browser.install(other, link)
    assert (reply.status, title_of(reply)) == (403, f"Account {other} was not connected")
    assert await connected(redis) == set()

    assert (await browser.install(portal_id, link)).status == 200
    assert await connected(redis) == {portal_id}


async def test_a_link_expires(invited: Served, links: Invitations) -> None:
    """After its time a link is not good any more."""
    word = await links.make(None, 1)
    await asyncio.sleep(0.01)
    reply = await Browser(invited.port).open(f"{INSTALL}?invitation={word.reveal()}")
    assert reply.status == 403


async def test_listed_accounts_only(
    redis_url: str, simulator: Running, redis: Redis, control: Control, portal_id: int
) -> None:
    """Listed accounts connect themselves; what another one granted is dropped."""
    other = await new_account(control)
    settings = app_settings(simulator) | {"OAUTH_ALLOWED_PORTALS": f"1,{portal_id}"}
    with served(redis_url, **settings) as service:
        reply = await Browser(service.port).install(other)
        assert (reply.status, title_of(reply)) == (403, f"Account {other} was not connected")
        assert await redis.exists(f"tenant-1:accounts:{other}") == 0
        assert await connected(redis) == set()
        assert (await Browser(service.port).install(portal_id)).status == 200
    assert await connected(redis) == {portal_id}


async def test_a_link_lets_in_who_is_not_listed(
    redis_url: str, simulator: Running, redis: Redis, links: Invitations, portal_id: int
) -> None:
    """A link is leave enough, and who came by one is not cut off by trying without."""
    settings = app_settings(simulator) | {"OAUTH_ALLOWED_PORTALS": "1"}
    with served(redis_url, **settings) as service:
        assert (await Browser(service.port).install(portal_id, await link_to(links))).status == 200
        assert (await Browser(service.port).install(portal_id)).status == 403
    assert await connected(redis) == {portal_id}


async def test_another_browser_cannot_finish(
    open_to_all: Served, redis: Redis, portal_id: int
) -> None:
    """Who has the address but not the cookie is turned away, and the install is over."""
    browser = Browser(open_to_all.port)
    back = await browser.agree(await browser.begin(), portal_id)
    stranger = Browser(open_to_all.port)
    await stranger.begin()
    for other in (stranger, Browser(open_to_all.port), browser):
        reply = await other.open(back)
        assert (reply.status, title_of(reply)) == (400, "This install cannot be finished")
    assert await connected(redis) == set()


async def test_an_answer_is_taken_once(open_to_all: Served, portal_id: int) -> None:
    """The same answer of HubSpot, sent again, is turned away."""
    browser = Browser(open_to_all.port)
    back = await browser.agree(await browser.begin(), portal_id)
    assert (await browser.open(back)).status == 200
    assert (await browser.open(back)).status == 400


async def test_two_installs_in_one_browser(
    open_to_all: Served, redis: Redis, portal_id: int, control: Control
) -> None:
    """Two installs that one browser has on the way do not disturb each other."""
    other = await new_account(control)
    browser = Browser(open_to_all.port)
    pages = [await browser.begin(), await browser.begin()]
    backs = [
        await browser.agree(page, one) for page, one in zip(pages, (portal_id, other), strict=True)
    ]
    assert [(await browser.open(back)).status for back in backs] == [200, 200]
    assert await connected(redis) == {portal_id, other}


@pytest.mark.parametrize(
    "query",
    ["", "?code=abc", "?state=abc&code=abc", f"?state={'A' * 43}&code=abc", "?state=%00&code=%00"],
)
async def test_an_install_that_was_never_begun(open_to_all: Served, query: str) -> None:
    """A callback that no install of ours asked for is turned away, and HubSpot is not asked."""
    browser = Browser(open_to_all.port)
    await browser.begin()
    assert (await browser.open(CALLBACK + query)).status == 400


async def test_an_install_expires(redis_url: str, simulator: Running, portal_id: int) -> None:
    """Who comes back from HubSpot too late begins anew."""
    settings = app_settings(simulator) | {"OAUTH_ALLOWED_PORTALS": "*", "TIMING_SCALE": "0.001"}
    with served(redis_url, **settings) as service:
        browser = Browser(service.port)
        back = await browser.agree(await browser.begin(), portal_id)
        await asyncio.sleep(0.7)  # Redis' expiry sets no event; an install may take 600 ms here
        assert (await browser.open(back)).status == 400


async def test_declined(invited: Served, links: Invitations, redis: Redis, portal_id: int) -> None:
    """Who declines is told that nothing was connected; the link stays good."""
    link, browser = await link_to(links), Browser(invited.port)
    reply = await browser.open(await browser.decline(await browser.begin(link)))
    assert (reply.status, title_of(reply)) == (403, "Nothing was connected")
    assert await connected(redis) == set()
    assert (await browser.install(portal_id, link)).status == 200


async def test_a_code_that_hubspot_refuses(
    invited: Served, links: Invitations, redis: Redis, portal_id: int
) -> None:
    """A code that HubSpot does not take connects nothing; the link stays good."""
    link, browser = await link_to(links), Browser(invited.port)
    back = await browser.agree(await browser.begin(link), portal_id)
    reply = await browser.open(re.sub(r"code=[^&]+", "code=forged", back))
    assert (reply.status, title_of(reply)) == (400, "HubSpot did not confirm the install")
    assert await connected(redis) == set()
    assert (await browser.install(portal_id, link)).status == 200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(effect="status", status=502), (503, "HubSpot did not answer")),
        (Fault(effect="corrupt"), (503, "HubSpot did not answer")),
        (Fault(effect="cut"), (503, "HubSpot did not answer")),
        (
            Fault(effect="status", status=400, body='{"error":"invalid_client"}'),
            (502, "This Callstream is not set up right"),
        ),
        (
            Fault(effect="status", status=400, body='{"status":"BAD_REDIRECT_URI"}'),
            (502, "This Callstream is not set up right"),
        ),
        (Fault(effect="status", status=429), (503, "HubSpot did not answer")),
    ],
    ids=["502", "corrupt", "cut", "app", "redirect", "429"],
)
async def test_hubspot_is_not_well(
    invited: Served, links: Invitations, control: Control, fault: Fault, told: tuple[int, str]
) -> None:
    """While HubSpot gives no tokens nothing is connected, and the link stays good."""
    portal_id = await new_account(control)
    link, browser = await link_to(links), Browser(invited.port)
    back = await browser.agree(await browser.begin(link), portal_id)
    await control.fault(replace(fault, operation="oauth.token"))
    reply = await browser.open(back)
    assert (reply.status, title_of(reply)) == told
    await control.clear_faults()
    assert (await browser.install(portal_id, link)).status == 200


async def test_an_answer_that_names_no_account(
    open_to_all: Served, redis: Redis, control: Control, portal_id: int
) -> None:
    """Where HubSpot's answer names no account, HubSpot is asked whose the token is."""
    account = await control.open_account(portal_id)
    body = {"access_token": account.token, "refresh_token": "r", "expires_in": 1800}
    fault = Fault(
        effect="status",
        status=200,
        operation="oauth.token",
        body=msgspec.json.encode(body).decode(),
    )
    browser = Browser(open_to_all.port)
    back = await browser.agree(await browser.begin(), portal_id)
    await control.fault(fault)
    assert (await browser.open(back)).status == 200
    assert await connected(redis) == {portal_id}


async def test_too_many_installs_at_once(open_to_all: Served, redis: Redis) -> None:
    """Installs that were begun are bounded, so that nobody fills Redis with them."""
    await command(redis, "SET", "tenant-1:accounts:pending", AT_MOST, "PX", 60_000)
    reply = await Browser(open_to_all.port).open(INSTALL)
    assert (reply.status, title_of(reply)) == (429, "Too many installs at once")
    assert await keys_in(redis) == {b"tenant-1:accounts:pending"}


async def test_redis_is_away(make_redis: MakeRedis, simulator: Running) -> None:
    """Without Redis the page says that it is not possible now."""
    server = make_redis()
    settings = app_settings(simulator) | {"OAUTH_ALLOWED_PORTALS": "*"}
    with served(server.url, **settings) as service:
        server.kill()
        reply = await Browser(service.port).open(INSTALL)
    assert (reply.status, title_of(reply)) == (503, "Not now")


async def test_an_install_anew_replaces_the_tokens(
    open_to_all: Served, redis: Redis, control: Control, portal_id: int
) -> None:
    """An account may install again at any time: the newest tokens count."""
    async with counted(control) as exchanges:
        for _ in range(2):
            assert (await Browser(open_to_all.port).install(portal_id)).status == 200
        assert await exchanges() == 2
    assert await connected(redis) == {portal_id}
