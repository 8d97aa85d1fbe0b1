"""Installs on their way: begun in a browser, gone to HubSpot for consent, not back yet.

Keys, on the ledger's Redis, after the namespace:

- `accounts:pending:<digest>`: string that expires: the install, sealed; the digest is that of the
  `state` that went to HubSpot with it
- `accounts:pending`: counter that expires: installs begun within a minute
"""

from typing import Final

import msgspec
from redis.asyncio import Redis

from jobs.accounts.vault import SealedError, Vault
from jobs.accounts.words import digest_of
from jobs.config.values import Secret
from jobs.redis import command
from jobs.scripts import Script

AT_MOST: Final = 300
"""Installs that may be begun within a minute: whoever may install at all could fill Redis."""


class Pending(msgspec.Struct, frozen=True):
    """An install on its way."""

    browser: Secret
    """The word in the cookie of the browser that began it."""
    verifier: Secret
    """Of PKCE: proves to HubSpot that the code comes from who asked for it."""
    invitation: str | None
    """The digest of the link it was begun with."""


class _Plain(msgspec.Struct, frozen=True, array_like=True):
    browser: str
    verifier: str
    invitation: str | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Plain)


class PendingInstalls:
    """The installs on their way; raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, namespace: str, vault: Vault, life_ms: int) -> None:
        """Seal them by `vault`, and forget them after `life_ms`."""
        self._redis = redis
        self._prefix = f"{namespace}:accounts:pending" if namespace else "accounts:pending"
        self._vault = vault
        self._life_ms = life_ms
        self._begin = Script(redis, "accounts/begin")

    async def begin(self, state: Secret, install: Pending) -> bool:
        """Keep an install; False if too many were begun of late."""
        plain = _Plain(install.browser.reveal(), install.verifier.reveal(), install.invitation)
        key = self._key(state)
        sealed = self._vault.seal(_encoder.encode(plain), about=key)
        begun = await self._begin([key, self._prefix], [sealed, self._life_ms, AT_MOST])
        return begun == 1

    async def take(self, state: Secret) -> Pending | None:
        """Return the install of a `state`, once; None if there is none, or no more."""
        key = self._key(state)
        sealed = await command(self._redis, "GETDEL", key)
        if not isinstance(sealed, bytes):
            return None
        try:
            plain = _decoder.decode(self._vault.open(sealed, about=key))
        except (SealedError, ValueError):
            return None
        return Pending(Secret(plain.browser), Secret(plain.verifier), plain.invitation)

    def _key(self, state: Secret) -> str:
        return f"{self._prefix}:{digest_of(state)}"
