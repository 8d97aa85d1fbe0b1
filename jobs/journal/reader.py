"""Reads the journal file by file: what a file says is in the ledger before the offset moves on.

A reader that is killed anywhere leaves its successor the file that it was at: marks may repeat.
"""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

import structlog

from jobs.context import Context
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.hubspot.kinds import type_id_of
from jobs.journal.api import GapError, Pointer
from jobs.journal.departures import follow
from jobs.journal.entries import Contents, decode
from jobs.journal.files import BadFileError
from jobs.journal.opening import Journal
from jobs.journal.subscriptions import Wishes, lifecycle, wanted_of
from jobs.ledger.deadletters import DeadLetter
from jobs.reconciliation.runs import Ask

CHUNK: Final = 500
"""Calls that are marked in one script call."""
FILE_ATTEMPTS: Final = 3
"""A file that cannot be used so often in a row is set aside."""
BAD_FILE: Final = "bad-journal-file"
"""The reason on the dead letters of such files."""

Step = Literal["read", "caught_up", "gap", "set_aside", "elsewhere"]
"""What a step came to: a file is in the ledger; there is none; older ones are lost; one was of no
use; another worker reads."""

_log = structlog.get_logger(__name__)


class Reader:
    """One worker's reading of the journal."""

    def __init__(self, context: Context, journal: Journal, worker: str) -> None:
        self._context = context
        self._journal = journal
        self._worker = worker
        self._attempts: dict[str, int] = {}
        self._subscribe_at = 0.0

    async def step(self) -> Step:
        """Read one file, if it is this worker's turn to read.

        Raises:
            HubSpotError: HubSpot, or a file, cannot be had now.
            redis.RedisError: Redis is away.
        """
        offset = await self._journal.place.hold(self._worker)
        if offset is None:
            self._subscribe_at = 0.0
            return "elsewhere"
        await self._subscribe()
        try:
            pointer = await self._journal.api.following(offset)
        except GapError:
            return await self._fall_back(offset)
        if pointer is None:
            await self._journal.place.rest(self._worker)
            return "caught_up"
        if pointer.current_offset == offset:
            raise PortalFailure(kind="undecodable", detail="the journal goes in a circle")
        try:
            contents = decode(await self._journal.files.fetch(pointer.url))
        except BadFileError as error:
            return await self._set_aside(offset, pointer, error)
        return await self._take(offset, pointer, contents)

    async def leave(self) -> None:
        """Let another worker read."""
        await self._journal.place.leave(self._worker)

    async def _take(self, offset: str, pointer: Pointer, contents: Contents) -> Step:
        """Put what a file says into the ledger, then move on."""
        await self._mark(contents)
        for move in contents.moves:
            await follow(self._context, move)
        _log.debug(
            "journal file read",
            offset=pointer.current_offset,
            calls=len(contents.marks),
            set_aside=len(contents.dead_letters),
            others=contents.others,
        )
        return await self._move(
            offset, pointer.current_offset, "read", published_at=contents.published_at
        )

    async def _move(self, before: str, after: str, step: Step, *, published_at: int = 0) -> Step:
        self._attempts.pop(after, None)
        moved = await self._journal.place.move(before, after, published_at=published_at)
        return step if moved else "elsewhere"

    async def _mark(self, contents: Contents) -> None:
        ledger, marks = self._context.ledger, contents.marks
        for start in range(0, len(marks), CHUNK):
            bells = await ledger.mark(marks[start : start + CHUNK])
            await self._context.doorbells.ring(bells)
        for start in range(0, len(contents.dead_letters), CHUNK):
            await ledger.mark([], contents.dead_letters[start : start + CHUNK])

    async def _fall_back(self, offset: str) -> Step:
        """Have every account compared with HubSpot, and begin again at the earliest file."""
        portals = await self._reconcile()
        _log.warning("gap in the journal: all accounts are reconciled", accounts=len(portals))
        return await self._move(offset, "", "gap")

    async def _set_aside(self, offset: str, pointer: Pointer, error: BadFileError) -> Step:
        """Keep what is known of a file of no use, and have HubSpot compared in its stead.

        Raises:
            PortalFailure: it may yet be of use: it is to be tried again first.
        """
        attempts = self._attempts.get(pointer.current_offset, 0) + 1
        self._attempts[pointer.current_offset] = attempts
        if attempts < FILE_ATTEMPTS:
            raise PortalFailure(kind="undecodable", detail=f"a file of the journal: {error}")
        letter = DeadLetter(
            reason=BAD_FILE,
            error=f"file {pointer.current_offset}: {error}",
            raw=error.raw,
            origin="journal",
            attempts=attempts,
        )
        await self._context.ledger.mark([], [letter])
        portals = await self._reconcile()
        _log.error(
            "journal file set aside: all accounts are reconciled",
            offset=pointer.current_offset,
            reason=str(error),
            accounts=len(portals),
        )
        return await self._move(offset, pointer.current_offset, "set_aside")

    async def _reconcile(self) -> Sequence[int]:
        """Ask for a full round of every connected account: searches show no deletions."""
        portals = [portal_id async for portal_id in self._connected()]
        for portal_id in portals:
            ask = Ask(id=secrets.token_hex(8), full=True)
            await self._context.reconciliations.ask(portal_id, ask)
        return portals

    async def _connected(self) -> AsyncIterator[int]:
        for portal_id in await self._context.accounts.portals():
            if (await self._context.ledger.door(portal_id)).open:
                yield portal_id

    async def _subscribe(self) -> None:
        """Keep the subscriptions in order, every now and then.

        A failure to do so is told and does not hold up the reading.
        """
        if time.monotonic() < self._subscribe_at:
            return
        every_s = self._context.timing.journal_subscribe_ms / 1000
        try:
            done = await self._journal.subscriptions.keep(await self._wishes())
        except HubSpotError as error:
            _log.warning("journal subscriptions not kept in order", reason=str(error))
            done = True
        if done:
            self._subscribe_at = time.monotonic() + every_s

    async def _wishes(self) -> Wishes:
        """Return what the journal is to hold of the accounts that are connected now."""
        wanted, unsure = [*lifecycle()], set[int]()
        async for portal_id in self._connected():
            try:
                projection = await self._context.projection(portal_id)
            except HubSpotError as error:
                _log.info("properties not known yet", portal_id=portal_id, reason=str(error))
                unsure.add(portal_id)
                continue
            types = [type_id_of(name) for name in projection.associations]
            wanted += wanted_of(portal_id, projection.properties, types)
        return Wishes(tuple(wanted), frozenset(unsure))
