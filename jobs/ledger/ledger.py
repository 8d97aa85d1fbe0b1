"""The ledger: which calls may have changed, and who is reading them.

A call is idle (absent), due, or leased by one claim. Notifications, pages and reconciliations mark
calls; jobs claim the due ones, read them, and settle each. Time is Redis' own, in epoch ms.

Keys, after the namespace:

- `ledger:portals`: sorted set, portal -> when it wants a reader next; a portal without work, or
  one that is not connected, is absent
- `ledger:strangers`: set of portals that have marks though they are not connected
- `ledger:serial`: counter of claim tokens and doorbells; each is unique
- `ledger:sweeper`, `ledger:crowded`, `ledger:fleet`: whose turn the sweep is; whether the queue is
  longer than the fleet can soon serve; sorted set `worker:slots` -> last beat
- `ledger:newcomers`: set of portals that were connected for the first time, until their backfills
  are started
- `ledger:<portal>`: hash: open, connected_at, asleep_until, why, failures, claimed_at, side,
  pace
- `ledger:<portal>:due`: sorted set, call -> when it is due
- `ledger:<portal>:leases`: sorted set, call -> when its lease ends
- `ledger:<portal>:held`: hash, leased call -> `token:marks since:claimed at`
- `ledger:<portal>:recent`: sorted set, call settled within the last minute -> when it was claimed
- `ledger:<portal>:hints`, `:fresh`: hashes, call -> bucket of hints; fresh ones came during a lease
- `ledger:<portal>:memo`: hash, call -> what earlier reads found out, as the reader wrote it
- `ledger:<portal>:bells`: sorted set, doorbell on its way -> when it counts as lost
- `ledger:<portal>:claims`: sorted set, token of a living claim -> when its lease ends

`ledger:pulse` and `ledger:pulse:processes` belong to `jobs.pulse.pulse`, `calls:dead` to
`jobs.ledger.deadletters`.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import msgspec
from redis.asyncio import Redis

from jobs.deadletters.envelope import OPEN, Envelope
from jobs.hubspot.breaker import breaker_keys
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.messages import Bell, Claim, Dead, Door, Mark, Outcome, Verdict
from jobs.ledger.wire import (
    PACKER,
    Counted,
    Settled,
    decode,
    flatten,
    limits,
    pack_marks,
    pack_verdicts,
)
from jobs.pulse.pulse import Pulse
from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing

SWEEP_RINGS = 500
"""The most doorbells that one sweep rings."""

T = TypeVar("T")


def pulse_of(redis: Redis, namespace: str, timing: Timing) -> Pulse:
    """Return the pulse of the ledger's Redis, as a process follows it that has just begun."""
    space = f"{namespace}:" if namespace else ""
    return Pulse(redis, f"{space}ledger:pulse", timing)


class LedgerScript:
    """A script that changes a portal's place in the ledger together with keys of its own.

    It sees what all ledger scripts share (`jobs/lua/ledger/common.lua` and `doors.lua`), so its own
    keys come second and its own arguments third.
    """

    def __init__(self, script: Script, portals: str, constants: tuple[str, bytes]) -> None:
        self._script = script
        self._portals = portals
        self._constants = constants

    async def __call__(self, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object:
        """Run the script; raises `redis.RedisError` as the server or the connection failed."""
        return await self._script([self._portals, *keys], [*self._constants, *args])


class Ledger:
    """The ledger on one Redis.

    Every method is one script call, or one pipeline, and raises `redis.RedisError` when Redis
    does not take it: then nothing of it, or all of it, was applied.
    """

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        timing: Timing,
        envelope: Envelope = OPEN,
        *,
        pulse: Pulse | None = None,
    ) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty).

        The bytes of dead letters are kept as `envelope` says. Marks, claims and settlements are
        counted in `pulse`, that of this Redis (`pulse_of`), where there is one.
        """
        space = f"{namespace}:" if namespace else ""
        self._redis = redis
        self._prefix = f"{space}ledger:"
        self._portals = f"{self._prefix}portals"
        self._dead = f"{space}calls:dead"
        self._pulse = pulse
        self._constants = (
            self._prefix,
            limits(timing, namespace, process=pulse.process if pulse else ""),
        )
        self._waking = breaker_keys(namespace).waking
        self._timing = timing
        self._envelope = envelope
        self._mark = self._script("pulse/beat", "deadletters/bury", "ledger/marking", "ledger/mark")
        self._claim = self._script("pulse/beat", "ledger/claim")
        self._renew = self._script("ledger/renew")
        self._settle = self._script("pulse/beat", "deadletters/bury", "ledger/settle")
        self._sweep = self._script("ledger/sweep")
        self._portal = Script(redis, "ledger/common", "ledger/doors", "ledger/portal")

    def script(self, *names: str) -> LedgerScript:
        """Return the script `jobs/lua/<name>.lua` joined to what the ledger's own ones share."""
        script = self._script("ledger/doors", *names)
        return LedgerScript(script, self._portals, self._constants)

    async def strangers(self) -> frozenset[int]:
        """Return the portals whose calls are marked though they are not connected."""
        answer = await command(self._redis, "SMEMBERS", f"{self._prefix}strangers")
        return frozenset(map(int, cast("Iterable[bytes]", answer)))

    def _script(self, *names: str) -> Script:
        return Script(self._redis, "ledger/common", *names)

    async def mark(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter] = ()
    ) -> list[Bell]:
        """Mark the calls and set the dead letters aside; marks may be repeated.

        Returns the doorbells that must now be rung.
        """
        return await self.mark_packed(pack_marks(marks), flatten(dead_letters, self._envelope))

    def pack(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter]
    ) -> tuple[bytes, list[bytes | str]]:
        """Return marks and dead letters as `mark_packed` takes them, any number of times."""
        return pack_marks(marks), flatten(dead_letters, self._envelope)

    async def mark_packed(self, marks: bytes, letters: Sequence[bytes | str]) -> list[Bell]:
        """Do what `mark` does with what `pack` returned."""
        return await self._commit(
            self._mark,
            [self._portals, self._dead],
            [*self._constants, marks, *letters],
            Counted[list[Bell]],
        )

    async def _commit(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[bytes | str | int],
        kind: type[Counted[T]],
    ) -> T:
        """Run a script that commits, and let the pulse hear of it."""
        if self._pulse is None:
            return decode(await script(keys, args), kind).body
        sent = self._pulse.send()
        try:
            answer = await script(keys, args)
        except BaseException as error:
            self._pulse.broken(sent, error)
            raise
        counted = decode(answer, kind)
        self._pulse.heard(sent, counted.epoch, counted.count)
        return counted.body

    async def claim(self, portal_id: int, bell_id: str = "", *, side_by_side: int = 1) -> Claim:
        """Lease up to `BATCH` due calls of the portal, the oldest first.

        Args:
            portal_id: whose calls.
            bell_id: the doorbell that is answered; empty for none.
            side_by_side: how many claims of this portal may be alive at once.
        """
        return await self._commit(
            self._claim,
            [self._portals],
            [*self._constants, str(portal_id), bell_id, side_by_side],
            Counted[Claim],
        )

    async def renew(self, portal_id: int, token: str, call_ids: Sequence[str]) -> int:
        """Extend the claim's leases; return how many of the calls it still holds."""
        kept = await self._renew(
            [self._portals],
            [*self._constants, str(portal_id), token, PACKER.encode(call_ids)],
        )
        return msgspec.convert(kept, int)

    async def settle(
        self,
        portal_id: int,
        token: str,
        verdicts: Sequence[Verdict],
        outcome: Outcome | None = None,
    ) -> list[Bell]:
        """End the claim with a verdict on each of its calls; return the doorbells to ring.

        A verdict on a call that the claim no longer holds has no effect.
        """
        settled = await self._commit(
            self._settle,
            [self._portals, self._dead],
            [
                *self._constants,
                str(portal_id),
                token,
                pack_verdicts(verdicts),
                PACKER.encode(outcome or Outcome()),
                *flatten(
                    (verdict.letter for verdict in verdicts if isinstance(verdict, Dead)),
                    self._envelope,
                ),
            ],
            Counted[Settled],
        )
        return settled.bells

    async def settled(self, portal_id: int) -> list[str]:
        """Return the portal's calls that were settled within `Timing.recent_ms`."""
        answer = await command(self._redis, "ZRANGE", f"{self._prefix}{portal_id}:recent", 0, -1)
        return [call.decode() for call in cast("list[bytes]", answer)]

    async def sweep(self, worker: str, queue: str, running: str = "") -> list[Bell]:
        """Return doorbells for due portals that have none, if it is this worker's turn.

        Args:
            worker: the worker that asks; it keeps its turn as long as it goes on asking.
            queue: the key of the sorted set that the doorbells go to.
            running: followed by a job's id, the key that exists while the job is run.
        """
        turn_ms = 5 * self._timing.sweep_every_ms
        answer = await self._sweep(
            [self._portals, queue, self._waking],
            [*self._constants, worker, turn_ms, SWEEP_RINGS, running],
        )
        return decode(answer, list[Bell])

    async def beat(self, worker: str, slots: int) -> None:
        """Say that the worker lives and runs `slots` jobs at once."""
        seconds, micros = await self._redis.time()
        await self._redis.zadd(
            f"{self._prefix}fleet", {f"{worker}:{slots}": seconds * 1000 + micros // 1000}
        )

    async def leave(self, worker: str, slots: int) -> None:
        """Say that the worker stops."""
        await self._redis.zrem(f"{self._prefix}fleet", f"{worker}:{slots}")

    async def connect(self, portal_id: int, *, connected_at: int = 0) -> list[Bell]:
        """Let the portal's calls be read, and forget its sleep; return the doorbells to ring.

        A portal that is not known, as after Redis lost its data, counts as connected since
        `connected_at`, in Redis' epoch ms; 0 = from now on.
        """
        return await self._change(portal_id, "connect", number=connected_at)

    async def door(self, portal_id: int) -> Door:
        """Return whether the portal's calls may be read."""
        key = f"{self._prefix}{portal_id}"
        seconds, micros = await self._redis.time()
        now = seconds * 1000 + micros // 1000
        fields = ("open", "connected_at", "asleep_until", "why")
        held = await command(self._redis, "HMGET", key, *fields)
        is_open, connected_at, asleep_until, why = cast("Sequence[bytes | None]", held)
        waiting = await command(self._redis, "ZCOUNT", f"{key}:due", "-inf", now)
        return Door(
            now=now,
            open=is_open == b"1",
            connected_at=int(connected_at or 0),
            asleep_until=int(asleep_until or 0),
            why=(why or b"").decode(),
            waiting=cast("int", waiting),
        )

    async def disconnect(self, portal_id: int, why: str) -> None:
        """Keep the portal's marks but read none of its calls until it is connected again."""
        await self._change(portal_id, "disconnect", why=why)

    async def sleep(self, portal_id: int, sleep_ms: int, why: str) -> None:
        """Read none of the portal's calls for `sleep_ms`."""
        await self._change(portal_id, "sleep", number=sleep_ms, why=why)

    async def wake(self, portal_id: int) -> list[Bell]:
        """End the portal's sleep; return the doorbells to ring."""
        return await self._change(portal_id, "wake")

    async def _change(
        self, portal_id: int, action: str, *, number: int = 0, why: str = ""
    ) -> list[Bell]:
        answer = await self._portal(
            [self._portals], [*self._constants, str(portal_id), action, number, why]
        )
        return decode(answer, list[Bell])
