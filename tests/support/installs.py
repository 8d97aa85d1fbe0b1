"""Our app at the stand-in: accounts that agree to it, and processes that use their tokens."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from jobs.accounts.installed import Installed
from jobs.accounts.register import Register
from jobs.accounts.tokens import issue_of
from jobs.accounts.vault import Vault
from jobs.config.values import Secret
from jobs.hubspot.consent import challenge_of, consent_page, consent_url, scopes_for
from jobs.hubspot.oauth import Grant, OAuth
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport
from jobs.ledger.ledger import Ledger
from jobs.timing import Timing
from tests.simulator.control import Control
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault

REDIRECT: Final = "http://127.0.0.1:8000/oauth/callback"
VERIFIER: Final = Secret("a-verifier-of-forty-three-characters-or-more")
LIFE_MS: Final = 1_800_000
"""How long the stand-in's access tokens live."""
QUICK: Final = Timing(
    token_recheck_ms=1, refresh_poll_ms=5, request_timeout_ms=2_000, quiet_ms=0, pace_ms=0
)
"""Every token is looked up anew; a refresh that fails is tried again after half a second."""


def new_key() -> Secret:
    """Return a key for TOKEN_KEYS."""
    return Secret(Fernet.generate_key().decode())


async def agree(running: Running, portal_id: int, scopes: tuple[str, ...] = ()) -> Secret:
    """Let an account agree to our app, as its user does on HubSpot's page; return the code."""
    url = consent_url(
        consent_page(running.url),
        client_id=running.client_id,
        redirect_url=REDIRECT,
        scopes=scopes or scopes_for(("contacts", "companies")),
        state="state",
        challenge=challenge_of(VERIFIER),
    )
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}&portal_id={portal_id}", allow_redirects=False) as answer,
    ):
        return Secret(parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0])


class App:
    """The app, its register in Redis, and its processes."""

    def __init__(
        self, redis: Redis, namespace: str, running: Running, session: aiohttp.ClientSession
    ) -> None:
        self.redis = redis
        self.ledger = Ledger(redis, namespace, QUICK)
        self.register = Register(redis, namespace, self.ledger, QUICK)
        self.vault = Vault([new_key()])
        self._running = running
        self._session = session
        self.oauth = self.client(running.client_secret)

    def client(self, secret: str) -> OAuth:
        """Return our app as it asks with a secret."""
        return OAuth(
            Transport(self._session, self._running.url, QUICK),
            Paths("2026-03"),
            client_id=self._running.client_id,
            client_secret=Secret(secret),
            redirect_url=REDIRECT,
        )

    async def grant(self, portal_id: int) -> Grant:
        """Return the tokens of an account that agrees."""
        return await self.oauth.redeem(await agree(self._running, portal_id), VERIFIER)

    async def install(self, portal_id: int, *, age_ms: int = 0) -> Grant:
        """Install the app in an account, some time ago; return its tokens."""
        grant = await self.grant(portal_id)
        await self.register.install(portal_id, issue_of(self.vault, portal_id, grant, age_ms))
        return grant

    def process(self) -> Installed:
        """Return what one process hands its jobs tokens with."""
        return Installed(self.register, self.vault, self.oauth, QUICK)


@asynccontextmanager
async def counted(
    control: Control, delay_ms: int = 0
) -> AsyncGenerator[Callable[[], Awaitable[int]]]:
    """Count the requests that the stand-in's token endpoint gets, each answered so much later."""
    fault_id = await control.fault(
        Fault(effect="delay", delay_ms=delay_ms, operation="oauth.token")
    )

    async def count() -> int:
        return (await control.faults()).struck[fault_id]

    try:
        yield count
    finally:
        await control.clear_faults(fault_id)
