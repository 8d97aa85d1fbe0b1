"""What a token stands for, and how to make it void."""

import msgspec
from litestar import Response, delete, get, post

from tests.simulator.answers import HubSpotError, Json, answer, nothing, read_body
from tests.simulator.api.oauth import TOKEN, Form, app_of, refusal
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.clock import iso
from tests.simulator.model.authority import Refusal, TokenError
from tests.simulator.model.world import Grant

SCOPES = ("crm.objects.contacts.read", "crm.objects.contacts.write", "oauth")


class TokenKey(msgspec.Struct, frozen=True, rename="camel"):
    """A private app's token."""

    token_key: str


def unknown(why: Refusal) -> HubSpotError:
    """Return the 404 of a token that nobody knows."""
    return refusal(TokenError(why), 404)


def access_info(caller: Caller, token: str) -> dict[str, Json]:
    """Return what an access token stands for.

    Raises:
        HubSpotError: 404, it is no OAuth token.
    """
    grant = caller.simulator.world.grants.get(token)
    if grant is None or grant.portal_id is None or grant.kind != "oauth":
        raise unknown(Refusal.BAD_ACCESS_TOKEN)
    left_ms = (grant.expires_at or 0) - caller.came_at
    return {
        "token": token,
        "token_type": "access",
        "token_use": "access_token",
        "active": left_ms > 0,
        "expires_in": max(0, left_ms // 1000),
        "client_id": _client_id(caller, grant.app_id),
        "app_id": grant.app_id,
        "hub_id": grant.portal_id,
        "hub_domain": f"account-{grant.portal_id}.example.com",
        "user": f"user-{grant.user_id}@example.com",
        "user_id": grant.user_id,
        "scopes": grant.scopes,
        "is_private_distribution": False,
        "signed_access_token": _signed(grant),
    }


def refresh_info(caller: Caller, token: str) -> dict[str, Json]:
    """Return what a refresh token stands for.

    Raises:
        HubSpotError: 404, it is none.
    """
    refresh = caller.simulator.authority.refreshes.get(token)
    if refresh is None:
        raise unknown(Refusal.BAD_REFRESH_TOKEN)
    return {
        "token": token,
        "token_type": "refresh",
        "token_use": "refresh_token",
        "active": True,
        "client_id": _client_id(caller, refresh.app_id),
        "app_id": refresh.app_id,
        "hub_id": refresh.portal_id,
        "hub_domain": f"account-{refresh.portal_id}.example.com",
        "user": f"user-{refresh.user_id}@example.com",
        "user_id": refresh.user_id,
        "scopes": refresh.scopes,
    }


def _client_id(caller: Caller, app_id: int) -> str:
    apps = caller.simulator.authority.apps.values()
    return next((app.client_id for app in apps if app.id == app_id), "")


def _signed(grant: Grant) -> dict[str, Json]:
    return {
        "expiresAt": grant.expires_at or 0,
        "scopes": "",
        "hubId": grant.portal_id,
        "userId": grant.user_id,
        "appId": grant.app_id,
        "signature": "",
        "scopeToScopeGroupPks": "",
        "newSignature": "",
        "hublet": "na1",
        "trialScopes": "",
        "trialScopeToScopeGroupPks": "",
        "isUserLevel": False,
        "installingUserId": grant.user_id,
        "isServiceAccount": False,
        "appInstallId": str(grant.portal_id),
        "audience": "",
        "isPrivateDistribution": False,
    }


@post(
    [f"{path}/introspect" for path in TOKEN],
    operation="oauth.introspect",
    family="free",
    status_code=200,
)
async def introspect(request: HubSpotRequest) -> Response[bytes]:
    """Tell an app about one of its tokens."""
    caller = caller_of(request)
    form = Form(await request.body())
    app_of(caller, form)
    token = form["token"] or form["access_token"] or form["refresh_token"]
    if token in caller.simulator.authority.refreshes:
        return answer(refresh_info(caller, token))
    return answer(access_info(caller, token))


@post(
    [f"{path}/revoke" for path in TOKEN], operation="oauth.revoke", family="free", status_code=200
)
async def revoke(request: HubSpotRequest) -> Response[bytes]:
    """Make a refresh token void; unknown ones are no error."""
    caller = caller_of(request)
    form = Form(await request.body())
    app_of(caller, form)
    caller.simulator.authority.refreshes.pop(form["token"] or form["refresh_token"], None)
    return nothing()


@get("/oauth/v1/access-tokens/{token:str}", operation="oauth.access_token", family="free")
async def old_access_info(request: HubSpotRequest) -> Response[bytes]:
    """Tell about an access token, the old way; an expired one is unknown."""
    caller = caller_of(request)
    info = access_info(caller, caller.params["token"])
    if not info["active"]:
        raise unknown(Refusal.BAD_ACCESS_TOKEN)
    return answer(info)


@get("/oauth/v1/refresh-tokens/{token:str}", operation="oauth.refresh_token", family="free")
async def old_refresh_info(request: HubSpotRequest) -> Response[bytes]:
    """Tell about a refresh token, the old way."""
    caller = caller_of(request)
    return answer(refresh_info(caller, caller.params["token"]))


@delete(
    "/oauth/v1/refresh-tokens/{token:str}",
    operation="oauth.revoke",
    family="free",
    status_code=200,
)
async def old_revoke(request: HubSpotRequest) -> Response[bytes]:
    """Make a refresh token void, the old way."""
    caller = caller_of(request)
    if caller.simulator.authority.refreshes.pop(caller.params["token"], None) is None:
        raise unknown(Refusal.BAD_REFRESH_TOKEN)
    return nothing()


@post(
    "/oauth/v2/private-apps/get/access-token-info",
    operation="oauth.private_app",
    family="free",
    status_code=200,
)
async def private_app_info(request: HubSpotRequest) -> Response[bytes]:
    """Tell whose private app a token belongs to."""
    caller = caller_of(request)
    body = read_body(await request.body(), TokenKey)
    grant = caller.simulator.world.grants.get(body.token_key)
    if grant is None or grant.kind != "private":
        raise HubSpotError(401, "INVALID_AUTHENTICATION", "unknown token")
    return answer(
        {
            "userId": grant.user_id,
            "hubId": grant.portal_id,
            "appId": grant.app_id,
            "scopes": SCOPES,
            "createdAt": iso(0),
        }
    )


ROUTES = [
    introspect,
    revoke,
    old_access_info,
    old_refresh_info,
    old_revoke,
    private_app_info,
]
