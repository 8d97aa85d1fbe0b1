"""Our app at the stand-in's token endpoints: what grants bring, and what leaks: nothing."""

import traceback
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from jobs.config.values import Secret
from jobs.hubspot.errors import GrantRefused, HubSpotError, PortalFailure
from jobs.hubspot.oauth import OAuth
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport, open_session
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.simulator.switchboard import Effect, Fault
from tests.support.installs import LIFE_MS, REDIRECT, VERIFIER, agree

QUICK = Timing(request_timeout_ms=500)
PLANTED = ("planted-secret", "planted-code", "planted-refresh")


@pytest.fixture(params=["v3", "2025-09", "2026-03", "2026-09"])
async def oauth(simulator: Running, request: pytest.FixtureRequest) -> AsyncIterator[OAuth]:
    """Our app, in one path style."""
    async with open_session() as session:
        yield OAuth(
            Transport(session, simulator.url, QUICK),
            Paths(request.param),
            client_id=simulator.client_id,
            client_secret=Secret(simulator.client_secret),
            redirect_url=REDIRECT,
        )


async def test_a_code_brings_tokens_once(oauth: OAuth, simulator: Running) -> None:
    """A code is good for the account's tokens, once, and only with the verifier."""
    code = await agree(simulator, simulator.portal_id)
    grant = await oauth.redeem(code, VERIFIER)
    assert grant.portal_id == simulator.portal_id
    assert grant.expires_in_s == LIFE_MS // 1000
    assert "crm.objects.contacts.read" in grant.scopes
    with pytest.raises(GrantRefused, match="BAD_AUTH_CODE"):
        await oauth.redeem(code, VERIFIER)
    with pytest.raises(GrantRefused, match="BAD_CODE_VERIFIER"):
        await oauth.redeem(await agree(simulator, simulator.portal_id), Secret("another"))


async def test_a_refresh_token_brings_another(oauth: OAuth, simulator: Running) -> None:
    """A refresh token gives a new access token, and stays good."""
    grant = await oauth.redeem(await agree(simulator, simulator.portal_id), VERIFIER)
    first, second = await oauth.renew(grant.refresh), await oauth.renew(grant.refresh)
    assert len({grant.access, first.access, second.access}) == 3
    assert first.portal_id == simulator.portal_id
    with pytest.raises(GrantRefused, match="BAD_REFRESH_TOKEN"):
        await oauth.renew(Secret("void"))


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        ("status", "server"),
        ("corrupt", "undecodable"),
        ("cut", "transport"),
        ("hang", "timeout"),
        ("truncate", "transport"),
    ],
)
async def test_endpoints_that_are_not_well(
    oauth: OAuth, simulator: Running, control: Control, effect: Effect, kind: str
) -> None:
    """Whatever happens on the way is a failure to ask, and never a void grant."""
    code = await agree(simulator, simulator.portal_id)
    await control.fault(Fault(effect=effect, operation="oauth.token"))
    with pytest.raises(PortalFailure) as caught:
        await oauth.redeem(code, VERIFIER)
    assert caught.value.kind == kind


@pytest.mark.parametrize("body", ["{}", "[]", '{"access_token":"planted-code"}', "planted-refresh"])
async def test_errors_hold_no_secret(simulator: Running, control: Control, body: str) -> None:
    """Neither an error nor its traceback holds what was sent, nor what was answered."""
    async with open_session() as session:
        oauth = OAuth(
            Transport(session, simulator.url, QUICK),
            Paths("2026-03"),
            client_id="client",
            client_secret=Secret(PLANTED[0]),
            redirect_url=REDIRECT,
        )
        for status in (200, 400, 500):
            fault = Fault(effect="status", status=status, operation="oauth.token", body=body)
            await control.fault(fault)
            for asking in (
                oauth.redeem(Secret(PLANTED[1]), VERIFIER),
                oauth.renew(Secret(PLANTED[2])),
            ):
                with pytest.raises(HubSpotError) as caught:
                    await asking
                told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
                assert [secret for secret in PLANTED if secret in told] == []
            await control.clear_faults()


async def test_what_is_sent() -> None:
    """The form of HubSpot's specification goes out, in a body, without a bearer token."""
    seen: list[tuple[str, str | None, dict[str, list[str]]]] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        form = parse_qs((await request.read()).decode())
        seen.append((request.raw_path, request.headers.get("Authorization"), form))
        return web.Response(status=502)

    async with RawTestServer(handler) as server, open_session() as session:
        oauth = OAuth(
            Transport(session, str(server.make_url("")), QUICK),
            Paths("2026-03"),
            client_id="client",
            client_secret=Secret("s&cret"),
            redirect_url=REDIRECT,
        )
        for asking in (oauth.redeem(Secret("c+de"), Secret("v")), oauth.renew(Secret("r"))):
            with pytest.raises(PortalFailure):
                await asking

    app = {"client_id": ["client"], "client_secret": ["s&cret"]}
    code = {
        "grant_type": ["authorization_code"],
        "redirect_uri": [REDIRECT],
        "code": ["c+de"],
        "code_verifier": ["v"],
    }
    refresh = {"grant_type": ["refresh_token"], "refresh_token": ["r"]}
    assert seen == [
        ("/oauth/2026-03/token", None, code | app),
        ("/oauth/2026-03/token", None, refresh | app),
    ]
