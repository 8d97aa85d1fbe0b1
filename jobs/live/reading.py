"""Reads a batch of calls and says of each what HubSpot has: found, merged, missing or unreadable.

A round is one batch read of live calls beside one associations read per wanted type, then an
archived batch read of what is missing, then single reads of what HubSpot neither answered nor
named. A batch that HubSpot refuses is halved until the call to blame stands alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from jobs.hubspot.client import HubSpot
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.hubspot.reads import Begun, CallsRead
from jobs.hubspot.schema import Call, Undecodable


class Found(msgspec.Struct, frozen=True):
    """HubSpot has the call, live or archived."""

    call: Call
    associations: Mapping[str, tuple[str, ...]]
    """Ids on the other side by wanted type."""
    ticket: int | None = None
    """Where the associations were read over several jobs: the ticket that the first of them took
    of the call's partition; None = the round's own."""


class Merged(msgspec.Struct, frozen=True):
    """HubSpot answered with the call that this one was merged into."""

    into: str


class Missing(msgspec.Struct, frozen=True):
    """HubSpot named the id as missing, among the live and among the archived calls."""


class Spoiled(msgspec.Struct, frozen=True):
    """This call alone cannot be read: HubSpot refuses it, or its record does not decode."""

    reason: str
    error: str
    raw: bytes = b""


Answer = Found | Merged | Missing | Spoiled


class Round(msgspec.Struct, frozen=True):
    """What one round brought."""

    answers: Mapping[str, Answer]
    """By call; those that the round did not reach are absent."""
    failure: PortalFailure | None
    """Why it did not reach them."""
    begun: Mapping[str, Mapping[str, Begun]] = {}
    """Calls with more associations than were read -> how far they were, by type."""


async def read_round(  # noqa: PLR0913 - whose calls, which, and what of them
    hubspot: HubSpot,
    portal_id: int,
    ids: Sequence[str],
    properties: Sequence[str],
    association_types: Sequence[str],
    *,
    begun: Mapping[str, Mapping[str, Begun]] = MappingProxyType({}),
) -> Round:
    """Read the calls; the first requests (one, and one per type) are taken as paid for.

    The associations of calls that are `begun` are read on from where an earlier round ended.

    Never raises for HubSpot's sake: a failure ends the round, and what was read is kept.

    Raises:
        redis.RedisError: the budget or the tokens cannot be reached.
    """
    reader = _Reader(hubspot, portal_id, properties, begun)
    failure: PortalFailure | None = None
    try:
        await reader.read(ids, association_types)
    except PortalFailure as error:
        failure = error
    return Round(reader.answers, failure or reader.failure, reader.unfinished())


class _Reader:
    """Collects the answers of one round, so that a failure half-way loses none of them."""

    def __init__(
        self,
        hubspot: HubSpot,
        portal_id: int,
        properties: Sequence[str],
        begun: Mapping[str, Mapping[str, Begun]],
    ) -> None:
        self.answers: dict[str, Answer] = {}
        self._hubspot = hubspot
        self._portal_id = portal_id
        self._properties = properties
        self._associations: dict[str, dict[str, tuple[str, ...]]] = {}
        self._before = begun
        self._begun: dict[str, dict[str, Begun]] = {}
        self.failure: PortalFailure | None = None
        """Why further pages of associations were not read."""

    async def read(self, ids: Sequence[str], association_types: Sequence[str]) -> None:
        lives: dict[str, Call] = {}
        missing: set[str] = set()
        await _all(
            self._read_batch(ids, lives, missing, archived=False, prepaid=True),
            *(self._read_associations(kind, ids) for kind in association_types),
        )
        for call_id, call in lives.items():
            self._find(call_id, call, association_types)
        unread = [call_id for call_id in ids if call_id in missing]
        if unread:
            await self._read_archived(unread, association_types)

    def unfinished(self) -> dict[str, dict[str, Begun]]:
        """Return the calls with more pages, and with them what is complete of theirs."""
        found = {call_id: dict(kinds) for call_id, kinds in self._begun.items()}
        for kind, known in self._associations.items():
            for call_id in found.keys() & known.keys():
                found[call_id][kind] = Begun(known[call_id])
        return found

    async def _read_archived(self, ids: Sequence[str], association_types: Sequence[str]) -> None:
        archived: dict[str, Call] = {}
        missing: set[str] = set()
        await self._read_batch(ids, archived, missing, archived=True, prepaid=False)
        for call_id, call in archived.items():
            self._find(call_id, call, association_types)
        for call_id in missing:
            self.answers[call_id] = Missing()

    def _find(self, call_id: str, call: Call, association_types: Sequence[str]) -> None:
        """Take the call as found if all its associations are known, and its record is whole."""
        known = {
            kind: self._associations[kind][call_id]
            for kind in association_types
            if call_id in self._associations.get(kind, {})
        }
        if call_id not in self.answers and len(known) == len(association_types):
            self.answers[call_id] = Found(call, known)

    async def _read_batch(
        self,
        ids: Sequence[str],
        found: dict[str, Call],
        missing: set[str],
        *,
        archived: bool,
        prepaid: bool,
    ) -> None:
        async def read(part: Sequence[str], *, prepaid: bool) -> None:
            answer = await self._hubspot.read_calls(
                self._portal_id, part, self._properties, archived=archived, prepaid=prepaid
            )
            found.update((call_id, answer.calls[call_id]) for call_id in answer.calls)
            missing.update(answer.missing)
            self._spoil_refused(answer)
            self._spoil(answer.undecodable, "undecodable-call")
            for call_id in answer.unanswered:
                await self._read_singly(call_id, found, missing, archived=archived)

        await self._halving(ids, read, prepaid=prepaid)

    async def _read_singly(
        self, call_id: str, found: dict[str, Call], missing: set[str], *, archived: bool
    ) -> None:
        try:
            answer = await self._hubspot.read_call(
                self._portal_id, call_id, self._properties, archived=archived
            )
        except RecordRefused as refusal:
            self.answers[call_id] = Spoiled("refused", str(refusal))
            return
        if answer.undecodable is not None:
            self._spoil([answer.undecodable], "undecodable-call")
        elif answer.call is None:
            missing.add(call_id)
        elif answer.call.id == call_id:
            found[call_id] = answer.call
        else:
            self.answers[call_id] = Merged(answer.call.id)

    async def _read_associations(self, kind: str, ids: Sequence[str]) -> None:
        known = self._associations.setdefault(kind, {})

        async def read(part: Sequence[str], *, prepaid: bool) -> None:
            before = {
                call_id: self._before[call_id][kind]
                for call_id in part
                if kind in self._before.get(call_id, {})
            }
            answer = await self._hubspot.read_associations(
                self._portal_id, kind, part, begun=before, prepaid=prepaid
            )
            known.update(answer.ids)
            for call_id, begun in answer.begun.items():
                self._begun.setdefault(call_id, {})[kind] = begun
            self.failure = self.failure or answer.failure
            self._spoil(answer.undecodable, "undecodable-associations")

        await self._halving(ids, read, prepaid=True)

    async def _halving(
        self, ids: Sequence[str], read: Callable[..., Awaitable[None]], *, prepaid: bool
    ) -> None:
        """Read the ids together, or by halves while HubSpot refuses what they are asked in."""
        parts: list[tuple[Sequence[str], bool]] = [(ids, prepaid)]
        while parts:
            part, paid = parts.pop()
            try:
                await read(part, prepaid=paid)
            except RecordRefused as refusal:
                if len(part) == 1:
                    self.answers[part[0]] = Spoiled("refused", str(refusal))
                else:
                    half = len(part) // 2
                    parts += [(part[half:], False), (part[:half], False)]

    def _spoil_refused(self, answer: CallsRead) -> None:
        for call_id, category in answer.refused.items():
            self.answers[call_id] = Spoiled("refused", category)

    def _spoil(self, records: Iterable[Undecodable], reason: str) -> None:
        for record in records:
            if record.call_id is not None:
                self.answers[record.call_id] = Spoiled(reason, record.error, record.raw)


async def _all(*reads: Awaitable[None]) -> None:
    """Await all of them, also when one fails, and then raise the first failure."""
    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
