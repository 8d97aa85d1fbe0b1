"""OAuth: the page on which somebody agrees, and the token endpoints of every version."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from litestar import Response, get, post

from tests.simulator.answers import HubSpotError, Json, answer, read_body
from tests.simulator.api.reading import Query, whole_number
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.model.apps import App
from tests.simulator.model.authority import Issued, Refusal, TokenError

VERSIONS = ("v1", "v3", "2026-03", "2026-09")
TOKEN = [f"/oauth/{version}/token" for version in VERSIONS]


class Form:
    """A form-encoded body; JSON will do as well, as HubSpot's newer SDK sends it."""

    def __init__(self, raw: bytes) -> None:
        if raw.startswith(b"{"):
            values = read_body(raw, dict[str, str | None])
            self._values = {name: value or "" for name, value in values.items()}
        else:
            self._values = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, "")


def refusal(error: TokenError, status: int = 400) -> HubSpotError:
    """Return the error of a token endpoint, in HubSpot's words and in OAuth's."""
    extra: dict[str, Json] = {
        "status": error.word,
        "error": error.error,
        "error_description": str(error),
    }
    return HubSpotError(status, error.word, str(error), extra=extra)


def app_of(caller: Caller, form: Form) -> App:
    """Return the app whose id and secret the form has.

    Raises:
        HubSpotError: 400, one of them is wrong.
    """
    try:
        return caller.simulator.authority.client(form["client_id"], form["client_secret"])
    except TokenError as error:
        raise refusal(error) from error


@get(
    ["/oauth/authorize", "/oauth/{portal_id:str}/authorize"],
    operation="oauth.authorize",
    family="free",
)
async def authorise(request: HubSpotRequest) -> Response[bytes]:
    """Show the accounts to choose from; `portal_id` chooses at once, `deny` refuses."""
    caller, query = caller_of(request), Query(request)
    app = caller.simulator.authority.apps.get(query.one("client_id"))
    back = query.one("redirect_uri")
    if app is None or urlsplit(back).scheme not in ("http", "https"):
        return _page("<h1>Authorization failed</h1><p>Unknown app or redirect URL.</p>", 400)
    chosen = whole_number(caller.params.get("portal_id") or query.one("portal_id"))
    if query.one("deny"):
        reason = "The user denied the request"
        return _back(query, {"error": "access_denied", "error_description": reason})
    if chosen is None or chosen not in caller.simulator.world.accounts:
        return _page(_choice(caller, request.scope["query_string"].decode("latin-1")))
    scopes = f"{query.one('scope')} {query.one('optional_scope')}".split()
    challenge = query.one("code_challenge")
    code = caller.simulator.authority.authorise(app, chosen, back, scopes, challenge)
    return _back(query, {"code": code})


def _back(query: Query, said: dict[str, str]) -> Response[bytes]:
    uri, state = query.one("redirect_uri"), query.one("state")
    if state:
        said["state"] = state
    joint = "&" if urlsplit(uri).query else "?"
    return Response(b"", status_code=302, headers={"Location": f"{uri}{joint}{urlencode(said)}"})


def _choice(caller: Caller, query: str) -> str:
    links = "".join(
        f'<li><a href="?{escape(query)}&amp;portal_id={portal_id}">Account {portal_id}</a></li>'
        for portal_id in caller.simulator.world.accounts
    )
    deny = f'<a href="?{escape(query)}&amp;deny=1">Cancel</a>'
    return f"<h1>Choose an account</h1><ul>{links}</ul><p>{deny}</p>"


def _page(body: str, status: int = 200) -> Response[bytes]:
    html = f"<!doctype html><html><title>Simulated HubSpot</title><body>{body}</body></html>"
    return Response(html.encode(), status_code=status, media_type="text/html; charset=utf-8")


@post(TOKEN, operation="oauth.token", family="free", status_code=200)
async def issue_token(request: HubSpotRequest) -> Response[bytes]:
    """Exchange a code, a refresh token or an app's credentials for an access token."""
    caller = caller_of(request)
    form = Form(await request.body())
    app = app_of(caller, form)
    try:
        issued = _issue(caller, app, form)
    except TokenError as error:
        raise refusal(error) from error
    return answer(issued_body(issued, old=request.scope["path"] == TOKEN[0]))


def _issue(caller: Caller, app: App, form: Form) -> Issued:
    authority, life_ms = caller.simulator.authority, caller.simulator.knobs.token_life_ms
    match form["grant_type"]:
        case "authorization_code":
            uri, verifier = form["redirect_uri"], form["code_verifier"]
            return authority.redeem(app, form["code"], uri, verifier, life_ms)
        case "refresh_token":
            return authority.renew(app, form["refresh_token"], life_ms)
        case "client_credentials":
            return authority.credentials(app, form["scope"].split(), life_ms)
        case _:
            raise TokenError(Refusal.BAD_GRANT_TYPE)


def issued_body(issued: Issued, *, old: bool) -> dict[str, Json]:
    """Return a token answer; v1 says less."""
    grant = issued.grant
    body: dict[str, Json] = {
        "access_token": issued.access_token,
        "expires_in": issued.expires_in_s,
        "token_type": "bearer",
    }
    if issued.refresh_token:
        body["refresh_token"] = issued.refresh_token
    if not old:
        body["scopes"] = grant.scopes
        body["token_use"] = "access_token" if issued.refresh_token else "client_credentials"
        if grant.portal_id is not None:
            body["hub_id"] = grant.portal_id
            body["user_id"] = grant.user_id
    return body


ROUTES = [authorise, issue_token]
