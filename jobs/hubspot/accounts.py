"""The connected accounts and their tokens.

One account is named by the settings: its token, and its portal id, which HubSpot is asked for once
where the settings do not give it.

Key, after the namespace: `accounts:owners`, hash, fingerprint of a token -> the portal that HubSpot
said it belongs to. A fingerprint cannot be turned back into its token, and a new token is asked
about anew, since it may be another account's.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from jobs.hubspot.errors import PortalFailure
from jobs.redis import command
from jobs.values import Secret

Identify = Callable[[Secret], Awaitable[int]]
"""Asks HubSpot for the portal id of a token; raises PortalFailure or RecordRefused."""


class Accounts:
    """Whose calls may be read, and with which token."""

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        identify: Identify,
        *,
        token: Secret | None,
        portal_id: int | None,
    ) -> None:
        """Use the account that the settings name.

        Args:
            redis: where HubSpot's word on a token is kept.
            namespace: prefix of the keys, followed by a colon unless it is empty.
            identify: asks HubSpot whose a token is.
            token: of one account; None if there is none.
            portal_id: whose token it is, where that is known.
        """
        self._redis = redis
        self._key = f"{namespace}:accounts:owners" if namespace else "accounts:owners"
        self._identify = identify
        self._token = token
        self._portal_id = portal_id
        self._asking = asyncio.Lock()

    async def connected(self) -> tuple[int, ...]:
        """Return the portals whose calls can be read.

        Raises:
            PortalFailure, RecordRefused: HubSpot had to be asked whose the token is, and did not
                say.
            redis.RedisError: Redis had to be asked and was away.
        """
        return () if self._token is None else (await self._owner(self._token),)

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return a token of the account, another one than HubSpot `refused` if there is one.

        Raises:
            PortalFailure: kind `unknown` if there is none for this account; or HubSpot had to be
                asked whose the token is, and did not say.
            RecordRefused: likewise.
            redis.RedisError: Redis had to be asked and was away.
        """
        del refused  # the settings have one token, which only the operator can renew
        if self._token is None:
            raise PortalFailure(kind="unknown", detail=f"no token for account {portal_id}")
        owner = await self._owner(self._token)
        if owner != portal_id:
            detail = f"the token belongs to account {owner}, not to {portal_id}"
            raise PortalFailure(kind="unknown", detail=detail)
        return self._token

    async def _owner(self, token: Secret) -> int:
        """Return the portal of the token: as set, as kept, or as HubSpot says."""
        if self._portal_id is not None:
            return self._portal_id
        async with self._asking:
            if self._portal_id is None:
                self._portal_id = await self._kept_owner(token)
        return self._portal_id

    async def _kept_owner(self, token: Secret) -> int:
        fingerprint = hashlib.sha256(token.reveal().encode()).hexdigest()[:16]
        kept = await command(self._redis, "HGET", self._key, fingerprint)
        if isinstance(kept, bytes):
            return int(kept)
        owner = await self._identify(token)
        await command(self._redis, "HSET", self._key, fingerprint, owner)
        return owner
