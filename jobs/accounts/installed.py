"""The tokens of the accounts that have installed the app: always a fresh one, refreshed by one.

A process uses an access token for a few seconds before it looks again whether Redis has a newer
one, so that a new install takes effect at once everywhere. Towards its end one of all processes
refreshes it while the others go on with it; after its end, or when HubSpot has refused it, they
wait for that one.
"""

import asyncio
import secrets
import time
from collections import defaultdict

import msgspec
import structlog

from jobs.accounts.circuit import Circuit
from jobs.accounts.register import Look, Register
from jobs.accounts.tokens import Tokens, issue_of, unseal
from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret
from jobs.hubspot.errors import OUTAGE, FailureKind, GrantRefused, PortalFailure
from jobs.hubspot.oauth import Grant, OAuth
from jobs.timing import Timing

_log = structlog.get_logger(__name__)


class _Held(msgspec.Struct, frozen=True):
    """What this process knows of an account's access token; times are of the process' own clock."""

    access: Secret | None
    """None if the account has not installed the app."""
    version: int
    look_again_at: float
    usable_until: float

    def serves(self, now: float, refused: Secret | None, *, at_need: bool = False) -> bool:
        """Tell whether to use it without asking Redis; at need it is used to its end."""
        until = self.usable_until if at_need else self.look_again_at
        return now < until and (self.access is None or self.access != refused)


class Installed:
    """Hands out the tokens of installed accounts."""

    def __init__(self, register: Register, vault: Vault, oauth: OAuth, timing: Timing) -> None:
        """Keep them in `register`, sealed by `vault`, and refresh them at `oauth`."""
        self._register = register
        self._vault = vault
        self._oauth = oauth
        self._timing = timing
        self._circuit = Circuit(timing)
        self._held: dict[int, _Held] = {}
        self._busy: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def portals(self) -> list[int]:
        """Return the accounts that have installed the app, disconnected ones among them.

        Raises:
            redis.RedisError: Redis is away.
        """
        return await self._register.portals()

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret | None:
        """Return a token of the account, another one than HubSpot has `refused`.

        None if the account has not installed the app.

        Raises:
            PortalFailure: kind `disconnected` if HubSpot has refused the refresh token for good;
                `sealed` if the tokens do not open; otherwise the kind of a failure to refresh.
            redis.RedisError: Redis was away.
        """
        lock, held = self._busy[portal_id], self._held.get(portal_id)
        if held and held.serves(time.monotonic(), refused, at_need=lock.locked()):
            return held.access
        async with lock:
            held = self._held.get(portal_id)
            if held is None or not held.serves(time.monotonic(), refused):
                held = await self._obtain(portal_id, held, refused)
                self._held[portal_id] = held
            return held.access

    async def _obtain(self, portal_id: int, held: _Held | None, refused: Secret | None) -> _Held:
        """Look, and refresh or wait, until there is a token to use."""
        refused_version = held.version if held and held.access == refused else 0
        while True:
            asker = secrets.token_hex(8)
            look = await self._register.look(portal_id, asker, refused=refused_version)
            if look.what == "absent":
                return self._hold(None, look)
            if look.what == "void":
                raise PortalFailure(kind="disconnected", detail=look.why)
            if look.what == "later":
                raise _not_yet(look)
            if look.what == "wait":
                await asyncio.sleep(min(look.wait_ms, self._timing.refresh_poll_ms) / 1000)
                continue
            tokens = self._opened(portal_id, look)
            if look.what == "refresh":
                await self._refresh(portal_id, asker, look, tokens)
            elif tokens.access == refused:
                refused_version = look.version
            else:
                return self._hold(tokens.access, look)

    def _hold(self, access: Secret | None, look: Look) -> _Held:
        now, recheck_ms = time.monotonic(), self._timing.token_recheck_ms
        if access is None:
            until = now + recheck_ms / 1000
            return _Held(None, 0, until, until)
        again_ms = min(recheck_ms, look.usable_ms, look.wait_ms)
        return _Held(access, look.version, now + again_ms / 1000, now + look.usable_ms / 1000)

    def _opened(self, portal_id: int, look: Look) -> Tokens:
        try:
            return unseal(self._vault, portal_id, look.sealed)
        except SealedError as error:
            detail = str(error)
        raise PortalFailure(kind="sealed", detail=detail)

    async def _refresh(self, portal_id: int, asker: str, look: Look, tokens: Tokens) -> None:
        """Refresh the tokens and keep them; or note for all why that could not be."""
        began = time.monotonic()
        try:
            grant = _of(portal_id, await self._renew(tokens.refresh))
        except GrantRefused as refusal:
            word = f" ({refusal.category})" if refusal.category else ""
            why = f"HubSpot refuses its refresh token{word}"
            if await self._register.disconnect(portal_id, look.version, why):
                _log.warning("account disconnected", portal_id=portal_id, reason=str(refusal))
        except PortalFailure as failure:
            wait_ms = await self._register.put_off(
                portal_id, asker, failure.kind, failure.retry_after_ms
            )
            _log.warning(
                "token not refreshed",
                portal_id=portal_id,
                reason=str(failure),
                usable_ms=look.usable_ms,
                retry_in_ms=wait_ms,
            )
        else:
            age_ms = round((time.monotonic() - began) * 1000)
            issue = issue_of(self._vault, portal_id, grant, age_ms)
            await self._register.keep(portal_id, look.version, issue)

    async def _renew(self, refresh: Secret) -> Grant:
        """Ask HubSpot for a new access token, unless it is known not to answer."""
        wait_ms = self._circuit.wait_ms()
        if wait_ms:
            detail = "HubSpot's token endpoint is out"
            raise PortalFailure(kind="server", detail=detail, retry_after_ms=wait_ms)
        try:
            grant = await self._oauth.renew(refresh)
        except PortalFailure as failure:
            if failure.kind in OUTAGE:
                self._circuit.failed()
            else:
                self._circuit.answered()
            raise
        except GrantRefused:
            self._circuit.answered()
            raise
        self._circuit.answered()
        return grant


def _of(portal_id: int, grant: Grant) -> Grant:
    """Return the grant if it is the account's; raises PortalFailure of kind `wrong_account`."""
    if grant.portal_id in (None, portal_id):
        return grant
    detail = f"the refreshed token belongs to account {grant.portal_id}, not to {portal_id}"
    raise PortalFailure(kind="wrong_account", detail=detail)


def _not_yet(look: Look) -> PortalFailure:
    """Return the last failure to refresh, with the time until the next attempt."""
    return PortalFailure(
        kind=msgspec.convert(look.why, FailureKind),
        detail="the access token could not be refreshed",
        retry_after_ms=look.wait_ms,
    )
