"""Which properties and associations are read of a portal's calls: one list for all processes.

The list has a generation. What is read with it is published with it, and the streams refuse a lower
one, so a process that still reads an old list cannot undo the work of those that read the new one.

Keys, on the ledger's Redis, after the namespace:

- `projection:<portal>`: hash: generation, from 1; properties and associations, sorted JSON arrays;
  listed_at and linked_at, when HubSpot was asked for the properties and for the associations, 0 if
  the settings name them; used_at, when a process last wanted this list; all in Redis' epoch ms;
  marked, the last generation whose full round was marked
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing


class Projection(msgspec.Struct, frozen=True):
    """What is to be read of a portal's calls."""

    generation: int
    properties: tuple[str, ...]
    associations: tuple[str, ...]
    differs: bool
    """True while other processes hold on to a list that is not the wanted one: worth a warning."""
    fresh: bool
    """True until `Projections.marked`: the portal's known calls are still to be marked."""


What = Literal["properties", "associations"]

_LISTED_AT = {"properties": "listed_at", "associations": "linked_at"}


class Listed(msgspec.Struct, frozen=True):
    """What HubSpot listed for an account: its properties, or its kinds of association."""

    names: tuple[str, ...]
    listed_at: int
    """When HubSpot was asked, in Redis' epoch ms: of two lists the later one is followed."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    generation: int
    properties: bytes
    associations: bytes
    is_wanted: bool
    is_fresh: bool


def _names(names: Iterable[str]) -> bytes:
    return msgspec.json.encode(sorted(set(names)))


class Projections:
    """The projections of all portals, on the ledger's Redis."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        self._redis = redis
        self._prefix = f"{keys.prefix(namespace)}projection:"
        self._idle_ms = timing.projection_idle_ms
        self._script = Script(redis, "stream/projection")
        self._marked = Script(redis, "stream/marked")

    async def current(  # noqa: PLR0913 - both lists with their times, all but the lists by name
        self,
        portal_id: int,
        properties: Iterable[str],
        associations: Iterable[str],
        *,
        listed_at: int = 0,
        linked_at: int = 0,
        seen: int = 0,
    ) -> Projection:
        """Return the list to read, which is the wanted one unless others still want another.

        A wanted list that is not the held one begins a new generation once no process has wanted
        the held one for `projection_idle_ms`; until then the held one is to be followed. Of two
        lists of HubSpot's the later one holds at once, if nothing else differs.

        Args:
            portal_id: whose calls.
            properties: names of the wanted properties, in any order.
            associations: names of the wanted association types, in any order.
            listed_at: when HubSpot was asked for the properties, as `now_ms` told just before; 0
                if the settings name them.
            linked_at: likewise for the associations.
            seen: the generation that the streams hold, as `StaleProjectionError` names it; a lower
                one here means that the ledger's Redis lost data, and a new one is begun.

        Raises:
            redis.RedisError: Redis did not take it.
        """
        answer = msgspec.convert(
            await self._script(
                [self._key(portal_id)],
                [
                    _names(properties),
                    _names(associations),
                    self._idle_ms,
                    seen,
                    listed_at,
                    linked_at,
                ],
            ),
            _Answer,
            strict=False,
        )
        return Projection(
            answer.generation,
            msgspec.json.decode(answer.properties, type=tuple[str, ...]),
            msgspec.json.decode(answer.associations, type=tuple[str, ...]),
            differs=not answer.is_wanted,
            fresh=answer.is_fresh,
        )

    async def listed(self, portal_id: int, what: What) -> Listed | None:
        """Return what is read and was listed by HubSpot; None if it listed none.

        Raises:
            redis.RedisError: Redis is away.
        """
        held = await command(self._redis, "HMGET", self._key(portal_id), what, _LISTED_AT[what])
        names, listed_at = msgspec.convert(held, tuple[bytes | None, bytes | None])
        if names is None or not int(listed_at or 0):
            return None
        return Listed(msgspec.json.decode(names, type=tuple[str, ...]), int(listed_at or 0))

    async def now_ms(self) -> int:
        """Return Redis' time in epoch ms.

        Raises:
            redis.RedisError: Redis is away.
        """
        answer = await command(self._redis, "TIME")
        seconds, micros = msgspec.convert(answer, tuple[int, int], strict=False)
        return seconds * 1_000 + micros // 1_000

    async def marked(self, portal_id: int, generation: int) -> None:
        """Say that every call known when `generation` began has been marked.

        Without effect if nothing is known of that generation any more, as after the account's
        removal.
        """
        await self._marked([self._key(portal_id)], [generation])

    def _key(self, portal_id: int) -> str:
        return f"{self._prefix}{portal_id}"
