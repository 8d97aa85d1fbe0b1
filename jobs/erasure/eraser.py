"""Forgets one call: its marks, its events, its dead letters, and what its record tells.

In an order that may end anywhere and be begun again: marks first, then the record, after which no
reader that began before can publish, then events and letters.
"""

from typing import Final

import msgspec
from callstream_client import keys
from callstream_client.events import encode_data
from redis.asyncio import Redis

from jobs import instants
from jobs.deadletters.box import Box
from jobs.deadletters.letters import Selection
from jobs.erasure.events import Events, Progress
from jobs.events import digest
from jobs.events.payload import call_event_data
from jobs.ledger.hints import Bucket, Hint
from jobs.ledger.ledger import Ledger
from jobs.redis import command
from jobs.stream.stream import (
    Candidate,
    Outcome,
    Overtaken,
    Published,
    StaleProjectionError,
    Stream,
    Unknown,
)
from jobs.timing import Timing

TRIES: Final = 10
"""So often is the record written anew when others write it at the same time."""


class BusyError(Exception):
    """Others publish the call all the time: to be tried again."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What was forgotten."""

    portal_id: int
    call_id: str
    marked: bool
    """Whether the call waited to be read, or was being read."""
    events: int
    dead_letters: int
    known: bool
    """Whether the call had been published."""
    told: bool
    """Whether consumers were told now, by an event without a state."""


class Eraser:
    """Forgets calls; raises `redis.RedisError` when a Redis is away, and may go on later."""

    def __init__(
        self, redis: Redis, streams: Redis, namespace: str, ledger: Ledger, timing: Timing
    ) -> None:
        """Forget from `redis`, the ledger's, and from `streams`."""
        self._redis = redis
        self._streams = streams
        self._namespace = namespace
        self._timing = timing
        self._box = Box(redis, namespace, ledger)
        self._forget = ledger.script("ledger/forget_call")

    async def erase(
        self, portal_id: int, call_id: str, progress: Progress = lambda _, __: None
    ) -> Erasure:
        """Forget a call; done again, only what came since is forgotten.

        Raises:
            BusyError: the call is published all the time.
        """
        paging = f"{keys.prefix(self._namespace)}paging:{portal_id}:{call_id}"
        marked = await self._forget([paging], [str(portal_id), call_id])
        outcome = await self._settle_record(portal_id, call_id)
        events = await Events(self._streams, self._namespace, portal_id, call_id).delete(progress)
        return Erasure(
            portal_id=portal_id,
            call_id=call_id,
            marked=bool(marked),
            events=events,
            dead_letters=await self._drop_letters(portal_id, call_id),
            known=outcome is not None and not isinstance(outcome, Unknown),
            told=isinstance(outcome, Published),
        )

    async def _settle_record(self, portal_id: int, call_id: str) -> Outcome | None:
        """Let the record say that the call was erased; None without any stream.

        That is published if the last event is another, and makes every read that is under way
        come too late.
        """
        meta = keys.meta(self._namespace)
        held = await command(self._streams, "HGET", meta, keys.META_PARTITIONS)
        if not isinstance(held, bytes):
            return None
        stream = Stream(self._streams, self._namespace, self._timing, int(held))
        partition, generation = stream.partition_of(portal_id, call_id), 1
        for _ in range(TRIES):
            candidate = await self._candidate(stream, partition, portal_id, call_id)
            try:
                (outcome,) = await stream.publish(partition, portal_id, generation, [candidate])
            except StaleProjectionError as error:
                generation = error.generation
                continue
            if not isinstance(outcome, Overtaken):
                return outcome
        msg = f"call {call_id} is being published all the time: try again"
        raise BusyError(msg)

    async def _candidate(
        self, stream: Stream, partition: int, portal_id: int, call_id: str
    ) -> Candidate:
        ticket = await stream.ticket(partition)
        said = Bucket((Hint("privacyDeletion", ticket, origin="replay"),))
        data = call_event_data(portal_id=portal_id, call_id=call_id, call=None, said=said)
        return Candidate(
            call_id=call_id,
            ticket=ticket,
            digest=digest.GONE,
            updated_at_ms=0,
            state="erased",
            first_type="deleted",
            time=instants.ms_to_text(ticket) or "",
            data=encode_data(data),
        )

    async def _drop_letters(self, portal_id: int, call_id: str) -> int:
        found = [
            letter.id
            async for letter in self._box.all(Selection(portal_id=portal_id))
            if letter.call_id == call_id
        ]
        return await self._box.drop(found) if found else 0
