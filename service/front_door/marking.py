"""Group commit: many requests' marks in one script call, and an answer to each request.

One task of the process talks to the ledger, one commit after the other. What arrives during a
commit goes into the next one, so that a lone request is committed at once and a crowd shares the
cost. Requests only wait for their answer: one that gives up changes nothing for the others.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Protocol

import msgspec
import structlog

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.messages import Bell, Mark
from jobs.log_limit import Quiet
from jobs.timing import Timing
from service.front_door.durability import Durability
from service.front_door.notifications import Batch
from service.front_door.outages import Outage, outage_of
from service.front_door.ringing import Ringer

_log = structlog.get_logger(__name__)

_ERROR_CHARS = 300
_STUCK_AFTER = 5
"""Deadlines that may pass without progress before nobody believes in it any more."""


class Answer(StrEnum):
    """What became of a request's marks, unless Redis has an outage."""

    MARKED = "marked"
    CROWDED = "waiting-room-full"
    REFUSED = "refused"
    """Redis refused this request's marks and takes others."""
    CLOSING = "closing"


class Marks(Protocol):
    """Where marks go: `service.front_door.remarking.Remarking`, or the ledger itself."""

    async def mark(
        self, marks: Sequence[Mark], dead_letters: Sequence[DeadLetter] = ()
    ) -> list[Bell]:
        """Take all of it or nothing, and return the doorbells to ring."""
        ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one commit carries, and how much may wait."""

    commit: int = 1_000
    """Notifications in one commit."""
    notifications: int = 20_000
    """Notifications of the requests that wait for their answer."""
    bytes: int = 64 * 2**20
    """Bytes of those requests' bodies."""


class _Part:
    """What goes into one commit for one request, and the answer that the request waits for."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.size = batch.calls + len(batch.dead_letters)
        self.answer: asyncio.Future[Answer | Outage] = asyncio.get_running_loop().create_future()

    def tell(self, answer: Answer | Outage) -> None:
        """Answer the request unless it has given up."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Committer:
    """Commits batches to the ledger, and has the doorbells rung afterwards."""

    def __init__(
        self,
        marks: Marks,
        ringer: Ringer,
        timing: Timing,
        *,
        durability: Durability | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Commit to `marks` while `running` is entered; then `durability` must confirm it."""
        self._marks = marks
        self._ringer = ringer
        self._durability = durability
        self._limits = limits or Limits()
        self._quiet = Quiet()
        self._deadline_s = timing.mark_deadline_ms / 1000
        self._parts: deque[_Part] = deque()
        self._arrived = asyncio.Event()
        self._waiting_notifications = 0
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._moved_at = time.monotonic()
        self._is_committing = False

    @property
    def stuck(self) -> bool:
        """Whether something waits to be committed and nothing has moved for five deadlines.

        A commit that fails is progress: its requests were answered.
        """
        waits = self._is_committing or bool(self._parts)
        return waits and time.monotonic() - self._moved_at > _STUCK_AFTER * self._deadline_s

    @property
    def alive(self) -> bool:
        """Whether the task that commits is running."""
        return self._task is not None and not self._task.done()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Commit while inside; on the way out commit what is waiting, and answer it."""
        self._task = asyncio.create_task(self._commit_forever(), name="committer")
        try:
            yield
        finally:
            self._closing = True
            self._arrived.set()
            await asyncio.wait([self._task], timeout=2 * self._deadline_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def commit(self, batch: Batch, body_bytes: int) -> Answer | Outage:
        """Return what became of the batch, at the latest when the deadline has passed.

        Anything but `Answer.MARKED` leaves open whether it was applied; it may be sent again.
        """
        size = batch.calls + len(batch.dead_letters)
        if self._closing:
            return Answer.CLOSING
        if (
            self._waiting_notifications + size > self._limits.notifications
            or self._waiting_bytes + body_bytes > self._limits.bytes
        ) and self._waiting_bytes:
            return Answer.CROWDED
        self._waiting_notifications += size
        self._waiting_bytes += body_bytes
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._all_parts(batch)
        except TimeoutError:
            return Outage.SLOW
        finally:
            self._waiting_notifications -= size
            self._waiting_bytes -= body_bytes

    async def _all_parts(self, batch: Batch) -> Answer | Outage:
        for part in _split(batch, self._limits.commit):
            waiting = _Part(part)
            if not self._parts and not self._is_committing:
                self._moved_at = time.monotonic()
            self._parts.append(waiting)
            self._arrived.set()
            answer = await waiting.answer
            if answer is not Answer.MARKED:
                return answer
        return Answer.MARKED

    async def _commit_forever(self) -> None:
        while not self._closing or self._parts:
            await self._arrived.wait()
            # Requests that were read in the same turn of the loop join the commit.
            await asyncio.sleep(0)
            parts = self._take()
            self._is_committing = bool(parts)
            await self._commit_together(parts)
            self._is_committing = False

    def _take(self) -> list[_Part]:
        """Take as many waiting parts as one commit carries, at least one if there is any."""
        taken: list[_Part] = []
        size = 0
        while self._parts:
            if self._parts[0].answer.done():
                self._parts.popleft()
                continue
            size += self._parts[0].size
            if taken and size > self._limits.commit:
                break
            taken.append(self._parts.popleft())
        if not self._parts and not self._closing:
            self._arrived.clear()
        return taken

    async def _commit_together(self, parts: list[_Part]) -> None:
        if not parts:
            return
        answer = await self._attempt(parts)
        self._moved_at = time.monotonic()
        if answer is Answer.REFUSED and len(parts) > 1:
            for part in parts:
                await self._commit_together([part])
            return
        for part in parts:
            part.tell(answer)

    async def _attempt(self, parts: Sequence[_Part]) -> Answer | Outage:
        """Make one commit and have its doorbells rung."""
        marks = [mark for part in parts for mark in part.batch.marks]
        letters = [letter for part in parts for letter in part.batch.dead_letters]
        try:
            async with asyncio.timeout(self._deadline_s):
                bells = await self._marks.mark(marks, letters)
                self._ringer.ring_soon(bells)
                safe = self._durability is None or await self._durability.confirm()
        except Exception as error:  # noqa: BLE001 - the task must outlive whatever a commit meets
            answer = outage_of(error) or Answer.REFUSED
            self._report(answer, error, len(parts))
            return answer
        return Answer.MARKED if safe else Outage.UNWRITABLE

    def _report(self, answer: Answer | Outage, error: Exception, requests: int) -> None:
        held_back = self._quiet.speak(answer)
        if held_back is not None:
            _log.warning(
                "commit failed",
                answer=answer,
                error=f"{type(error).__name__}: {error}"[:_ERROR_CHARS],
                requests=requests,
                more_like_this=held_back,
            )


def _split(batch: Batch, most: int) -> Iterator[Batch]:
    """Yield the batch in parts of about `most` notifications; nearly always there is one."""
    if batch.calls + len(batch.dead_letters) <= most:
        yield batch
        return
    for start in range(0, len(batch.marks), most):
        marks = batch.marks[start : start + most]
        yield Batch(marks, calls=sum(len(mark.hints) for mark in marks))
    for start in range(0, len(batch.dead_letters), most):
        yield Batch(dead_letters=batch.dead_letters[start : start + most])
