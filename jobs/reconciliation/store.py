"""Where every account's reconciliation stands, in Redis.

Keys, on the ledger's Redis, after the namespace:

- `reconciliation:due`: sorted set, portal -> when it wants a worker next
- `reconciliation:sweeper`: the worker whose turn it is to look
- `reconciliation:<portal>`: hash: watermark, HubSpot's epoch ms; searched_at and round_at, when the
  last finished search and round began; run and last, the run at work and the one that ended last,
  JSON; asked, what an operator wants next, JSON; holder and until, the worker at it and until when;
  missed, missed_at and missed_age, how many calls nobody had told of, when one was found last and
  how old the oldest was, in ms. Times without another word are Redis' epoch ms.
- `reconciliation:<portal>:missed`: list, the latest such calls, JSON (`jobs.reconciliation.missed`)

A run moves by compare-and-set: only the worker that holds the account writes, and only after the
calls that a page has shown are marked.
"""

from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.reconciliation.runs import Ask, Run, Standing
from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing

QUEUED: Final = 40
"""With so many jobs in the queue, no account is rung."""


class Held(msgspec.Struct, frozen=True):
    """An account in a worker's hands."""

    now: int
    """Redis' epoch ms."""
    standing: Standing


_JSON: Final = {"run": Run, "last": Run, "asked": Ask}
_NUMBERS: Final = ("watermark", "searched_at", "round_at")


def standing_of(fields: dict[bytes, bytes]) -> Standing:
    """Return what an account's hash says."""
    numbers = {name: int(fields.get(name.encode(), b"0")) for name in _NUMBERS}
    texts = {
        name: msgspec.json.decode(raw, type=kind)
        for name, kind in _JSON.items()
        if (raw := fields.get(name.encode()))
    }
    return msgspec.convert({**numbers, **texts}, Standing)


class Reconciliations:
    """Where all accounts stand; every method raises `redis.RedisError` when Redis is away."""

    def __init__(self, redis: Redis, namespace: str, timing: Timing) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty)."""
        self._redis = redis
        self._prefix = f"{keys.prefix(namespace)}reconciliation:"
        self.due_key = f"{self._prefix}due"
        """The sorted set of accounts by when they want a worker."""
        self._lease_ms = timing.collection_lease_ms
        self._bell_ms = timing.collection_bell_ms
        self._ring_ms = timing.collection_ring_ms
        self._take, self._keep, self._ask, self._ring = (
            Script(redis, "reconciliation/common", f"reconciliation/{name}")
            for name in ("take", "keep", "ask", "ring")
        )

    def key(self, portal_id: int) -> str:
        """Return the key of the account's hash."""
        return f"{self._prefix}{portal_id}"

    async def take(self, portal_id: int, holder: str) -> Held | None:
        """Hold the account for a turn; None if another worker does."""
        answer = await self._take(
            [self.due_key, self.key(portal_id)], [str(portal_id), holder, self._lease_ms]
        )
        if answer is None:
            return None
        now, flat = msgspec.convert(answer, tuple[int, list[bytes]])
        return Held(now, standing_of(dict(zip(flat[::2], flat[1::2], strict=True))))

    async def keep(
        self,
        portal_id: int,
        holder: str,
        standing: Standing,
        *,
        again_ms: int | None = None,
        begun: str = "",
    ) -> bool:
        """Write down where the account stands; False, and nothing is written, if it was taken over.

        Args:
            portal_id: the account.
            holder: the turn's own word.
            standing: what to write; what is asked for is left as it is.
            again_ms: in how long the account wants a worker again, which ends the turn; None = the
                turn goes on.
            begun: the id of what was asked for, once it has become a run.
        """
        kept = await self._keep(
            [self.due_key, self.key(portal_id)],
            [
                str(portal_id),
                holder,
                self._lease_ms,
                -1 if again_ms is None else again_ms,
                begun,
                *_fields(standing),
            ],
        )
        return kept == 1

    async def ask(self, portal_id: int, ask: Ask) -> str:
        """Ask for a run; return the id of the run to come, an earlier request's if one waits."""
        answer = await self._ask(
            [self.due_key, self.key(portal_id)],
            [str(portal_id), ask.id, ask.since, int(ask.full)],
        )
        return msgspec.convert(answer, bytes).decode()

    async def due(
        self, worker: str, queue: str, connected: Iterable[int], spread_ms: int
    ) -> list[int]:
        """Return accounts that want a worker now, if it is this one's turn to be told.

        Args:
            worker: who asks; it keeps its turn as long as it goes on asking.
            queue: the key of the queue that they go to: a long one gets no more.
            connected: all connected accounts; no other is named.
            spread_ms: over how long the first runs of new accounts are spread.
        """
        answer = await self._ring(
            [self.due_key, f"{self._prefix}sweeper", queue],
            [worker, 5 * self._ring_ms, QUEUED, self._bell_ms, spread_ms, *map(str, connected)],
        )
        return [int(portal) for portal in cast("Sequence[bytes]", answer)]

    async def accounts(self) -> list[int]:
        """Return the accounts that workers look after."""
        answer = await command(self._redis, "ZRANGE", self.due_key, 0, -1)
        return sorted(int(portal) for portal in cast("Sequence[bytes]", answer))

    async def forget(self, portal_id: int) -> None:
        """Forget where the account stands, and what was missed of it."""
        key = self.key(portal_id)
        await command(self._redis, "DEL", key, f"{key}:missed")
        await command(self._redis, "ZREM", self.due_key, portal_id)

    async def standing(self, portal_id: int) -> Standing:
        """Return where the account stands."""
        answer = await command(self._redis, "HGETALL", self.key(portal_id))
        return standing_of(cast("dict[bytes, bytes]", answer))


def _fields(standing: Standing) -> list[str | bytes | int]:
    fields: list[str | bytes | int] = []
    for name in _NUMBERS:
        fields += [name, getattr(standing, name) or ""]
    for name, run in (("run", standing.run), ("last", standing.last)):
        fields += [name, b"" if run is None else msgspec.json.encode(run)]
    return fields
