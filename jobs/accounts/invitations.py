"""Install links: each lets one account in, once, until it expires.

Keys, on the ledger's Redis, after the namespace:

- `accounts:invitation:<digest>`: string that expires: the portal that is let in, or empty for any;
  the digest is that of the link's word, which is kept nowhere
"""

from typing import cast

import msgspec
from redis.asyncio import Redis

from jobs.accounts.words import digest_of, new_word
from jobs.config.values import Secret
from jobs.redis import command


class Invitation(msgspec.Struct, frozen=True):
    """What a link is good for."""

    digest: str
    portal_id: int | None
    """The only account that it lets in; None for any."""


class Invitations:
    """The links that are out; raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._prefix = f"{namespace}:accounts:invitation:" if namespace else "accounts:invitation:"

    async def make(self, portal_id: int | None, life_ms: int) -> Secret:
        """Return the word of a new link, which is good for `life_ms`."""
        word = new_word()
        await self._keep(digest_of(word), portal_id, life_ms)
        return word

    async def find(self, word: Secret) -> Invitation | None:
        """Return what the link is good for, None if it was used, has expired, or never was."""
        digest = digest_of(word)
        portal = await command(self._redis, "GET", self._prefix + digest)
        return None if portal is None else Invitation(digest, _portal(portal))

    async def take(self, digest: str) -> tuple[Invitation, int] | None:
        """Use a link: return what it was good for and for how many ms more; None as above."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.pttl(self._prefix + digest)
        pipeline.getdel(self._prefix + digest)
        left_ms, portal = cast("tuple[int, object]", await pipeline.execute())
        return None if portal is None else (Invitation(digest, _portal(portal)), left_ms)

    async def give_back(self, invitation: Invitation, life_ms: int) -> None:
        """Let a link that was taken be used after all, for as long as it was still good."""
        await self._keep(invitation.digest, invitation.portal_id, life_ms)

    async def _keep(self, digest: str, portal_id: int | None, life_ms: int) -> None:
        portal = "" if portal_id is None else str(portal_id)
        await command(self._redis, "SET", self._prefix + digest, portal, "PX", max(1, life_ms))


def _portal(kept: object) -> int | None:
    return int(kept) if isinstance(kept, bytes) and kept else None
