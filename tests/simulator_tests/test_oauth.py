"""OAuth, as an app meets it."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.simulator.model.authority import challenge_of
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Answer, Api

BACK = "http://localhost/back?kept=1"
CALLS = "/crm/v3/objects/calls"
VERSIONS = ["v1", "v3", "2026-03", "2026-09"]


class Dance:
    """The steps of an installation."""

    def __init__(self, api: Api, simulator: Simulator) -> None:
        self.api = api
        self.portal = simulator.settings.portal_id
        self.client = {
            "client_id": simulator.app.client_id,
            "client_secret": simulator.app.client_secret,
        }

    async def agree(self, **more: str) -> str:
        """Return the code that comes back after somebody agreed."""
        asked = {
            "client_id": self.client["client_id"],
            "redirect_uri": BACK,
            "scope": "crm.objects.contacts.read",
            "state": "s t",
            "portal_id": str(self.portal),
        }
        answer = await self.api.get(f"/oauth/authorize?{urlencode(asked | more)}", token="")
        assert answer.status == 302
        said = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert (said["state"], said["kept"]) == (["s t"], ["1"])
        return said["code"][0]

    async def token(self, version: str = "2026-03", **form: str) -> Answer:
        """Ask a token endpoint."""
        path = f"/oauth/{version}/token"
        return await self.api.ask("POST", path, form=self.client | form, token="")

    async def redeem(self, agreed: str, version: str = "2026-03", **more: str) -> Answer:
        """Exchange a code."""
        form = {"grant_type": "authorization_code", "code": agreed, "redirect_uri": BACK}
        return await self.token(version, **(form | more))


@pytest.fixture
def dance(api: Api, simulator: Simulator) -> Dance:
    """Return the steps for the first account."""
    return Dance(api, simulator)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_code_becomes_tokens_and_a_refresh_token_new_ones(
    api: Api, dance: Dance, version: str
) -> None:
    """Both access tokens work for 30 minutes; the refresh token stays the same."""
    issued = (await dance.redeem(await dance.agree(), version)).json
    refresh = str(issued["refresh_token"])
    again = (await dance.token(version, grant_type="refresh_token", refresh_token=refresh)).json
    assert issued["expires_in"] == again["expires_in"] == 1_800
    assert again["refresh_token"] == refresh
    assert ("hub_id" in issued) is (version != "v1")
    for token in (issued["access_token"], again["access_token"]):
        assert (await api.get(CALLS, token=str(token))).status == 200


async def test_a_code_works_once(dance: Dance) -> None:
    """The second exchange of a code is refused."""
    code = await dance.agree()
    assert (await dance.redeem(code)).status == 200
    refused = await dance.redeem(code)
    assert (refused.status, refused.json["status"]) == (400, "BAD_AUTH_CODE")
    assert refused.json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"redirect_uri": "http://elsewhere/"}, "BAD_REDIRECT_URI"),
        ({"client_id": "?"}, "BAD_CLIENT_ID"),
        ({"client_secret": "?"}, "BAD_CLIENT_SECRET"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
        ({"code": "?"}, "BAD_AUTH_CODE"),
    ],
)
async def test_wrong_requests_are_refused(dance: Dance, wrong: dict[str, str], word: str) -> None:
    """400 with HubSpot's word for what is wrong."""
    refused = await dance.redeem(await dance.agree(), **wrong)
    assert (refused.status, refused.json["status"]) == (400, word)


async def test_tokens_expire(api: Api, simulator: Simulator, dance: Dance) -> None:
    """A token lives as long as it says, which can be shortened; then it is 401."""
    simulator.turn(token_life_ms=5_000)
    issued = (await dance.redeem(await dance.agree())).json
    token = str(issued["access_token"])
    assert issued["expires_in"] == 5
    simulator.clock.move(4_999)
    assert (await api.get(CALLS, token=token)).status == 200
    simulator.clock.move(1)
    refused = await api.get(CALLS, token=token)
    assert (refused.status, refused.json["category"]) == (401, "EXPIRED_AUTHENTICATION")


async def test_pkce(dance: Dance) -> None:
    """A code that was asked for with a challenge needs its verifier."""
    challenge = {"code_challenge": challenge_of("secret"), "code_challenge_method": "S256"}
    wrong = await dance.redeem(await dance.agree(**challenge), code_verifier="guess")
    assert wrong.json["status"] == "BAD_CODE_VERIFIER"
    right = await dance.redeem(await dance.agree(**challenge), code_verifier="secret")
    assert right.status == 200


async def test_an_uninstall_makes_every_token_void(
    api: Api, simulator: Simulator, dance: Dance
) -> None:
    """After an uninstall neither token works; a new installation is a new beginning."""
    issued = (await dance.redeem(await dance.agree())).json
    simulator.app.uninstall(dance.portal)
    refresh = str(issued["refresh_token"])
    refused = await dance.token(grant_type="refresh_token", refresh_token=refresh)
    assert refused.json["status"] == "BAD_REFRESH_TOKEN"
    assert (await api.get(CALLS, token=str(issued["access_token"]))).status == 401
    assert (await dance.redeem(await dance.agree())).status == 200


async def test_scopes_are_checked(api: Api, dance: Dance) -> None:
    """A token that may read calls may not write them: 403, naming what is missing."""
    token = str((await dance.redeem(await dance.agree())).json["access_token"])
    refused = await api.post(CALLS, {"properties": {}}, token=token)
    assert (refused.status, refused.json["category"]) == (403, "MISSING_SCOPES")
    assert refused.json["errors"][0]["context"]["requiredGranularScopes"]


async def test_introspection_and_revocation(api: Api, dance: Dance) -> None:
    """Tokens can be asked about; a revoked refresh token is unknown."""
    issued = (await dance.redeem(await dance.agree())).json
    access, refresh = str(issued["access_token"]), str(issued["refresh_token"])
    path = "/oauth/2026-03/token"
    form = dance.client | {"token": access}
    info = await api.ask("POST", f"{path}/introspect", form=form, token="")
    assert (info.json["active"], info.json["hub_id"]) == (True, dance.portal)
    old = await api.get(f"/oauth/v1/access-tokens/{access}", token="")
    assert old.json["hub_id"] == dance.portal
    assert (await api.get(f"/oauth/v1/refresh-tokens/{refresh}", token="")).status == 200
    gone = await api.ask("DELETE", f"/oauth/v1/refresh-tokens/{refresh}", token="")
    assert gone.status == 204
    assert (await api.get(f"/oauth/v1/refresh-tokens/{refresh}", token="")).status == 404


async def test_the_page_lists_accounts(api: Api, simulator: Simulator, dance: Dance) -> None:
    """Without a chosen account a page lists all; whoever cancels comes back with an error."""
    simulator.open_account(777)
    query = urlencode({"client_id": dance.client["client_id"], "redirect_uri": BACK})
    page = await api.get(f"/oauth/authorize?{query}", token="")
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"Account 777" in page.raw
    denied = await api.get(f"/oauth/authorize?{query}&deny=1", token="")
    assert "error=access_denied" in denied.headers["Location"]
    unknown = await api.get("/oauth/authorize?client_id=x&redirect_uri=http://h/", token="")
    assert unknown.status == 400


async def test_a_private_token_says_whose_it_is(api: Api, simulator: Simulator) -> None:
    """A private app's token is checked at an address of its own."""
    path = "/oauth/v2/private-apps/get/access-token-info"
    answer = await api.ask("POST", path, {"tokenKey": api.token}, token="")
    assert answer.json["hubId"] == simulator.settings.portal_id
