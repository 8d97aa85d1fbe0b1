"""The one account that the settings name: its token, and whose that is.

HubSpot is asked once whose the token is. What the settings say is held against that: another
account's token would bring that one's calls under this one's name.

Key, on the ledger's Redis, after the namespace:

- `accounts:owners`: hash, fingerprint of a token -> the portal that HubSpot said it belongs to. A
  fingerprint cannot be turned back into its token; a new token is asked about anew, since it may be
  another account's.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from redis.asyncio import Redis

from jobs.config.values import Secret
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.redis import command

Identify = Callable[[Secret], Awaitable[int]]
"""Asks HubSpot for the portal id of a token; raises PortalFailure or RecordRefused."""


class StaticAccount:
    """An account whose token only the operator can renew."""

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        identify: Identify,
        *,
        token: Secret,
        portal_id: int | None,
    ) -> None:
        """Use the account that the settings name.

        Args:
            redis: where HubSpot's word on a token is kept.
            namespace: prefix of the keys, followed by a colon unless it is empty.
            identify: asks HubSpot whose a token is.
            token: the account's.
            portal_id: whose token it is, as the settings say; None where they do not.
        """
        self._redis = redis
        self._namespace = namespace
        self._identify = identify
        self._token = token
        self._said = portal_id
        self._owner: int | None = None
        self._asking = asyncio.Lock()

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return the token if it is the account's; a refused one has no other.

        Raises:
            PortalFailure: kind `unknown` if the token is another account's, which is named;
                `wrong_account` if it is not that of the account in the settings; or HubSpot had to
                be asked whose the token is, and did not say.
            RecordRefused: likewise.
            redis.RedisError: Redis had to be asked and was away.
        """
        del refused
        owner = await self.owner()
        if owner != portal_id:
            detail = f"the token belongs to account {owner}, not to {portal_id}"
            raise PortalFailure(kind="unknown", detail=detail)
        return self._token

    async def owner(self) -> int:
        """Return the portal of the token: as kept, or as HubSpot says; raises as above.

        The settings are believed for as long as this process lives if HubSpot does not say.
        """
        if self._owner is None:
            async with self._asking:
                if self._owner is None:
                    self._owner = await self._find_owner()
        if self._said not in (None, self._owner):
            belongs = f"the token belongs to account {self._owner}"
            detail = f"{belongs}, and HUBSPOT_PORTAL_ID says {self._said}"
            raise PortalFailure(kind="wrong_account", detail=detail)
        return self._owner

    async def _find_owner(self) -> int:
        owner = await known_owner(self._redis, self._namespace, self._token)
        if owner is not None:
            return owner
        try:
            owner = await self._identify(self._token)
        except HubSpotError:
            if self._said is None:
                raise
            return self._said
        await command(self._redis, "HSET", _key(self._namespace), _fingerprint(self._token), owner)
        return owner

    async def known(self) -> int | None:
        """Return the portal of the token, None while HubSpot has yet to be asked.

        Raises:
            redis.RedisError: Redis is away.
        """
        if self._owner is not None:
            return self._owner
        return await known_owner(self._redis, self._namespace, self._token) or self._said


async def known_owner(redis: Redis, namespace: str, token: Secret) -> int | None:
    """Return the portal that HubSpot once named for the token, None if it was never asked.

    Raises:
        redis.RedisError: Redis was away.
    """
    kept = await command(redis, "HGET", _key(namespace), _fingerprint(token))
    return int(kept) if isinstance(kept, bytes) else None


async def disown(redis: Redis, namespace: str, portal_id: int) -> None:
    """Forget which tokens belonged to the account.

    Raises:
        redis.RedisError: Redis was away.
    """
    answer = await command(redis, "HGETALL", _key(namespace))
    owners = cast("Mapping[bytes, bytes]", answer)
    for word, owner in owners.items():
        if int(owner) == portal_id:
            await command(redis, "HDEL", _key(namespace), word)


def _key(namespace: str) -> str:
    return f"{namespace}:accounts:owners" if namespace else "accounts:owners"


def _fingerprint(token: Secret) -> str:
    return hashlib.sha256(token.reveal().encode()).hexdigest()[:16]
