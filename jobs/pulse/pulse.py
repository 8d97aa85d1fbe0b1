"""A server's pulse, as one process feels it: whether it still has all that it was told.

Keys, after the namespace, on the ledger's Redis `ledger:pulse` and `ledger:pulse:processes`, on the
streams' Redis, for the partition 0, `pulse:{0}` and `pulse:{0}:processes`:

- the pulse: hash: epoch, random and made anew with the hash; per process, by its name, how much it
  has committed; lost, when a loss was reported last; since, from when on data is missing, 0 = all
  of it; mended, the last loss that was mended; mender and until, who mends and for how long. Times
  are Redis' epoch ms.
- the processes: sorted set, process -> when it looked last; after a day it is forgotten

The count rides in the scripts that commit (`jobs/lua/pulse/beat.lua`) and costs no round trip. A
process that commits nothing looks once a second.
"""

import asyncio
import secrets
from collections import deque
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.pulse.watch import Finding, Sent, Watch
from jobs.redis import command
from jobs.scripts import Script
from jobs.timing import Timing

FORGET_MS: Final = 86_400_000
"""A process that has not looked for so long has ended."""
LOOKS: Final = 600
"""So many of the latest looks are remembered, to tell since when data is missing."""


class Loss(msgspec.Struct, frozen=True):
    """A loss that waits to be mended; times are Redis' epoch ms."""

    lost: int
    """When it was reported."""
    since: int
    """From when on data is missing; 0 = all of it."""


async def emptied_at(redis: Redis, key: str) -> int | None:
    """Return when a process noticed last that all data of a server was gone, None if never.

    In Redis' epoch ms; raises `redis.RedisError` when it is away.
    """
    held = await command(redis, "HMGET", key, "lost", "since")
    lost, since = msgspec.convert(held, tuple[bytes | None, bytes | None])
    return int(lost) if lost and not int(since or 0) else None


class _Look(msgspec.Struct, frozen=True, array_like=True):
    epoch: bytes
    count: int
    now: int
    lost: int
    since: int


class Pulse:
    """One server's memory of what one process has told it.

    Methods that ask Redis raise `redis.RedisError` when it is away.
    """

    def __init__(self, redis: Redis, key: str, timing: Timing) -> None:
        """Use the hash `key` on `redis`; whoever commits elsewhere tells by `send` and `heard`."""
        self.key = key
        self.process = secrets.token_hex(8)
        """Our name there, that no other process has."""
        self.trouble = asyncio.Event()
        """Set when data was lost, or may have been: see `finding`."""
        self._finding: Finding = "kept"
        self._watch = Watch()
        self._looks: deque[tuple[int, int]] = deque(maxlen=LOOKS)
        self._missing_since: int | None = None
        self._mend_after_ms = timing.look_ms
        self._mend_lease_ms = timing.mend_lease_ms
        self._look = Script(redis, "pulse/beat", "pulse/look")
        self._mend = Script(redis, "pulse/mend")

    def send(self) -> Sent:
        """Take note that a commit is sent now; one of the three following must be told of it."""
        return self._watch.send()

    def broken(self, sent: Sent, error: BaseException) -> None:
        """Take note that a commit has failed."""
        if isinstance(error, ResponseError):
            self._watch.refused(sent)
        else:
            self._watch.failed(sent)

    def heard(self, sent: Sent, epoch: str, count: int) -> None:
        """Take a commit's answer in."""
        before = self._watch.epoch
        self._note(self._watch.answered(sent, epoch, count), before, count)

    def _note(self, finding: Finding, before: str, count: int) -> None:
        if finding == "kept":
            return
        if finding == "lost":
            since = self._known_until(count) if self._watch.epoch == before else 0
            earlier = self._missing_since
            self._missing_since = since if earlier is None else min(since, earlier)
            self._looks.clear()
        if self._finding != "lost":
            self._finding = finding
        self.trouble.set()

    def finding(self) -> Finding:
        """Return the worst that was found since the last time, which is no trouble any more."""
        finding, self._finding = self._finding, "kept"
        self.trouble.clear()
        return finding

    async def look(self) -> Loss | None:
        """Look whether the server has all that it was told, and report it if it has not.

        Returns:
            What some worker has to mend, whoever reported it.
        """
        sent = self.send()
        try:
            answer = await self._look(
                [self.key, f"{self.key}:processes"],
                [self.process, FORGET_MS, self._mend_after_ms],
            )
        except BaseException:
            self._watch.refused(sent)
            raise
        look = msgspec.convert(answer, _Look, strict=False)
        before = self._watch.epoch
        finding = self._watch.looked(sent, look.epoch.decode(), look.count)
        self._note(finding, before, look.count)
        self._looks.append((look.count, look.now))
        since = self._missing_since
        if since is not None:
            await self._mend([self.key], ["report", since])
            if self._missing_since == since:
                self._missing_since = None
        return Loss(look.lost, look.since) if look.lost else None

    async def take(self, worker: str) -> bool:
        """Tell whether it is this worker's turn to mend; it is for `Timing.mend_lease_ms`."""
        return await self._mend([self.key], ["take", 0, worker, self._mend_lease_ms]) == 1

    async def mended(self, loss: Loss) -> None:
        """Say that the loss is mended."""
        await self._mend([self.key], ["done", loss.lost])

    def _known_until(self, count: int) -> int:
        """Return when the server last had less than `count` of our commits, 0 if long ago."""
        return max((now for looked, now in self._looks if looked < count), default=0)
