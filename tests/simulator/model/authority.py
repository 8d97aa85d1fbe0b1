"""OAuth: codes, refresh tokens and access tokens."""

import base64
import hashlib
import random
from collections.abc import Sequence
from enum import Enum

import msgspec

from tests.simulator.clock import Clock
from tests.simulator.model.apps import App
from tests.simulator.model.world import Grant, World

CODE_LIFE_MS = 600_000


class Refusal(Enum):
    """Why a token request is refused: the message, and the error in OAuth's words."""

    BAD_CLIENT_ID = "missing or invalid client id", "invalid_client"
    BAD_CLIENT_SECRET = "missing or invalid client secret", "invalid_client"
    BAD_AUTH_CODE = "missing or unknown auth code", "invalid_grant"
    BAD_REDIRECT_URI = "missing or invalid redirect uri", "invalid_grant"
    BAD_CODE_VERIFIER = "missing or invalid code verifier", "invalid_grant"
    BAD_REFRESH_TOKEN = "missing or invalid refresh token", "invalid_grant"
    BAD_ACCESS_TOKEN = "missing or unknown access token", "invalid_request"
    BAD_GRANT_TYPE = "missing or unsupported grant type", "unsupported_grant_type"


class TokenError(Exception):
    """A token request that is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value[0])
        self.word = refusal.name
        self.error = refusal.value[1]


class Code(msgspec.Struct, frozen=True):
    """An authorisation code."""

    app_id: int
    portal_id: int
    user_id: int
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    expires_at: int


class Refresh(msgspec.Struct, frozen=True):
    """What a refresh token stands for."""

    app_id: int
    portal_id: int
    user_id: int
    scopes: tuple[str, ...]


class Issued(msgspec.Struct, frozen=True):
    """A new access token."""

    access_token: str
    refresh_token: str
    """Empty for client credentials."""
    grant: Grant
    expires_in_s: int


class Authority:
    """Issues and checks tokens; all of them are drawn from the seed."""

    def __init__(self, world: World, clock: Clock, rng: random.Random) -> None:
        self.apps: dict[str, App] = {}
        """By client id."""
        self.refreshes: dict[str, Refresh] = {}
        self._world = world
        self._clock = clock
        self._rng = rng
        self._codes: dict[str, Code] = {}

    def authorise(
        self, app: App, portal_id: int, redirect_uri: str, scopes: Sequence[str], challenge: str
    ) -> str:
        """Return a code for an account whose user has agreed."""
        code = self._draw("code")
        user_id = self._world.accounts[portal_id].people[0].user_id
        expires_at = self._clock.now_ms() + CODE_LIFE_MS
        self._codes[code] = Code(
            app.id, portal_id, user_id, redirect_uri, tuple(scopes), challenge, expires_at
        )
        return code

    def client(self, client_id: str, client_secret: str) -> App:
        """Return the app that asks.

        Raises:
            TokenError: id or secret are wrong.
        """
        app = self.apps.get(client_id)
        if app is None:
            raise TokenError(Refusal.BAD_CLIENT_ID)
        if app.client_secret != client_secret:
            raise TokenError(Refusal.BAD_CLIENT_SECRET)
        return app

    def redeem(self, app: App, code: str, redirect_uri: str, verifier: str, life_ms: int) -> Issued:
        """Exchange a code, which works once, and install the app.

        Raises:
            TokenError: the code is unknown, used, too old, or was given for something else.
        """
        found = self._codes.pop(code, None)
        if found is None or found.app_id != app.id or found.expires_at <= self._clock.now_ms():
            raise TokenError(Refusal.BAD_AUTH_CODE)
        if found.redirect_uri != redirect_uri:
            raise TokenError(Refusal.BAD_REDIRECT_URI)
        if found.challenge and found.challenge != challenge_of(verifier):
            raise TokenError(Refusal.BAD_CODE_VERIFIER)
        refresh = Refresh(app.id, found.portal_id, found.user_id, found.scopes)
        token = self._draw("refresh")
        self.refreshes[token] = refresh
        app.install(found.portal_id)
        return self._issue(refresh, token, life_ms)

    def renew(self, app: App, token: str, life_ms: int) -> Issued:
        """Return a new access token for a refresh token, which stays the same.

        Raises:
            TokenError: the refresh token is unknown or revoked, or the app uninstalled.
        """
        refresh = self.refreshes.get(token)
        if refresh is None or refresh.app_id != app.id or refresh.portal_id not in app.installed:
            raise TokenError(Refusal.BAD_REFRESH_TOKEN)
        return self._issue(refresh, token, life_ms)

    def credentials(self, app: App, scopes: Sequence[str], life_ms: int) -> Issued:
        """Return an app-level token, which has no refresh token and no account."""
        grant = Grant(
            portal_id=None,
            app_id=app.id,
            kind="client_credentials",
            scopes=tuple(scopes),
            expires_at=self._clock.now_ms() + life_ms,
        )
        token = self._draw("app")
        self._world.grants[token] = grant
        return Issued(token, "", grant, life_ms // 1000)

    def forget(self, app: App, portal_id: int) -> None:
        """Make every token of an account for an app void."""
        self.refreshes = {
            token: refresh
            for token, refresh in self.refreshes.items()
            if (refresh.app_id, refresh.portal_id) != (app.id, portal_id)
        }
        for token, grant in list(self._world.grants.items()):
            if grant.kind == "oauth" and (grant.app_id, grant.portal_id) == (app.id, portal_id):
                del self._world.grants[token]

    def _issue(self, refresh: Refresh, token: str, life_ms: int) -> Issued:
        grant = Grant(
            portal_id=refresh.portal_id,
            app_id=refresh.app_id,
            kind="oauth",
            user_id=refresh.user_id,
            scopes=refresh.scopes,
            expires_at=self._clock.now_ms() + life_ms,
        )
        access = self._draw("access")
        self._world.grants[access] = grant
        return Issued(access, token, grant, life_ms // 1000)

    def _draw(self, kind: str) -> str:
        return f"na1-{kind}-{self._rng.getrandbits(160):040x}"


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
