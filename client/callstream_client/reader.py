"""Reads the streams as one consumer of a group, and recovers by itself from what happens to Redis.

The order of its work, begun anew whenever Redis was away:

1. make the group on every partition, where it is not there yet;
2. handle what this consumer was given before and has not acknowledged: a crash, or an answer that
   was lost on the way, leaves such entries;
3. handle what is new; now and then take over what other consumers have left lying for too long.

An entry is acknowledged after it was handled, so it comes at least once; what was handled already
is recognised by its sequence and passed over. One active consumer per partition keeps each call's
events in order.

Should the group be gone, because Redis lost its data or somebody destroyed it, it is made again at
the newest place below which everything was acknowledged, as far as this process knows it, else at
`ReaderOptions.start`: events may come twice, none is left out.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress

import msgspec
from redis import exceptions
from redis.asyncio import Redis

from callstream_client import keys, wire
from callstream_client.backoff import Backoff
from callstream_client.events import UnknownEvent
from callstream_client.latest import Latest
from callstream_client.wire import AwayError, Delivery, Entries, GroupGoneError, ask

Handler = Callable[[Delivery], Awaitable[None]]
"""What is done with an event; it is acknowledged when this returns."""

_log = logging.getLogger(__name__)


class ReaderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a reader reads."""

    namespace: str = ""
    """The deployment's `NAMESPACE`."""
    start: str = "0"
    """Where a new group begins: `0` = the oldest event kept, `$` = the next one, or an entry id."""
    count: int = 100
    """How many entries of a partition are fetched at once."""
    block_ms: int = 1_000
    """How long one request waits for an event, and so how long `stop` may take; at most half of
    the client's socket timeout is used."""
    claim_idle_ms: int = 60_000
    """Entries that another consumer has held for this long are taken over. It must be longer than
    handling `count` entries takes."""
    claim_every_ms: int = 5_000
    """How often to look for such entries, and for more partitions."""
    remember: int = 100_000
    """How many calls' last sequences are remembered, to pass over what comes again."""


class ReaderCounts:
    """What a reader has met, since it was made."""

    def __init__(self) -> None:
        self.handled = 0
        """Events given to the handler."""
        self.repeated = 0
        """Events passed over, since one as new of the same call was handled."""
        self.unknown = 0
        """Entries acknowledged unread: of a later release, or broken."""
        self.trimmed = 0
        """Entries that were trimmed from the stream before they were handled: lost."""
        self.claimed = 0
        """Entries taken over from other consumers."""
        self.regrouped = 0
        """Times that the group was gone."""


class Reader:
    """One consumer of one group, on all partitions."""

    def __init__(
        self, redis: Redis, group: str, consumer: str, options: ReaderOptions | None = None
    ) -> None:
        """Read as `consumer` of `group`; nothing is asked before `run`.

        Args:
            redis: a client of the streams' Redis, to be closed by its maker.
            group: the name under which the position is kept, one per application.
            consumer: a name that stays the same over restarts, such as a pod's ordinal: what a
                consumer was given waits for its name to come back, or to be taken over.
            options: how to read.
        """
        self._redis = redis
        self._group = group
        self._consumer = consumer
        self._options = options or ReaderOptions()
        self._latest = Latest(self._options.remember)
        self._backoff = Backoff()
        self._stopped = asyncio.Event()
        self._floors: dict[str, str] = {}
        self._cursors: dict[str, str] = {}
        self._look_at = 0.0
        self.counts = ReaderCounts()

    def stop(self) -> None:
        """Let `run` return after the event in hand; safe to call from a signal handler."""
        self._stopped.set()

    async def run(self, handle: Handler) -> None:
        """Give every event to `handle`, one after the other, until `stop` is called.

        An exception of `handle` ends it: the event stays unacknowledged and comes first next time.

        Raises:
            redis.RedisError: Redis refuses, as for missing rights.
        """
        while not self._stopped.is_set():
            try:
                await self._read_on(handle)
            except AwayError as error:
                if self._backoff.fresh:
                    _log.warning("Redis does not answer (%s); asking again until it does", error)
            except GroupGoneError:
                self.counts.regrouped += 1
                if self._backoff.fresh:
                    _log.warning("the group %s is gone; making it again", self._group)
            else:
                continue
            await self._backoff.wait(self._stopped)

    async def _read_on(self, handle: Handler) -> None:
        """Work until stopped or until Redis fails."""
        streams = await self._join(())
        await self._finish_own(streams, handle)
        while not self._stopped.is_set():
            for stream, entries in await self._fetch(streams):
                await self._process(stream, entries, handle)
            self._backoff.reset()
            if time.monotonic() >= self._look_at:
                await self._take_over(streams, handle)
                streams = await self._join(streams)
                self._look_at = time.monotonic() + self._options.claim_every_ms / 1_000

    async def _join(self, joined: Collection[str]) -> list[str]:
        """Return all streams, with the group on each, made where it is not `joined` already."""
        namespace = self._options.namespace
        count = await wire.partitions(self._redis, namespace)
        streams = [keys.stream(namespace, partition) for partition in range(count)]
        for stream in streams:
            if stream not in joined:
                await self._make_group(stream)
            self._floors[stream] = await self._floor(stream)
        return streams

    async def _make_group(self, stream: str) -> None:
        start = self._floors.get(stream, self._options.start)
        try:
            await ask(self._redis, "XGROUP", "CREATE", stream, self._group, start, "MKSTREAM")
        except exceptions.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # it is there already
                raise

    async def _floor(self, stream: str) -> str:
        """Return the highest entry id up to which the group has acknowledged everything."""
        delivered = wire.delivered(await ask(self._redis, "XINFO GROUPS", stream), self._group)
        waiting = wire.lowest_pending(await ask(self._redis, "XPENDING", stream, self._group))
        # In this order: whatever was delivered up to the first answer and does not wait in the
        # second one is acknowledged.
        below = delivered if waiting is None else wire.before(waiting)
        return min(delivered, below, key=wire.position)

    async def _fetch(self, streams: Sequence[str]) -> list[tuple[str, Entries]]:
        """Return what is new."""
        block_ms = wire.block_within(self._redis, self._options.block_ms)
        if not streams:  # no publisher has announced them yet
            with suppress(TimeoutError):
                async with asyncio.timeout(block_ms / 1_000):
                    await self._stopped.wait()
            return []
        places = (*streams, *(">" for _ in streams))
        answer = await self._read("BLOCK", block_ms, "STREAMS", *places, block_ms=block_ms)
        return wire.entries_of(answer)

    async def _finish_own(self, streams: Sequence[str], handle: Handler) -> None:
        """Handle what this consumer was given before."""
        for stream in streams:
            cursor = "0"
            while not self._stopped.is_set():
                answer = await self._read("STREAMS", stream, cursor)
                entries = [entry for _, batch in wire.entries_of(answer) for entry in batch]
                if not entries:
                    break
                await self._process(stream, entries, handle)
                cursor = entries[-1][0]

    async def _read(self, *words: str | int, block_ms: int = 0) -> object:
        head = ("XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", self._options.count)
        return await ask(self._redis, *head, *words, block_ms=block_ms)

    async def _take_over(self, streams: Sequence[str], handle: Handler) -> None:
        """Handle what other consumers left lying, one bounded part of each stream at a time."""
        idle_ms, count = self._options.claim_idle_ms, self._options.count
        for stream in streams:
            head = ("XAUTOCLAIM", stream, self._group, self._consumer, idle_ms)
            cursor = self._cursors.get(stream, "0-0")
            answer = await ask(self._redis, *head, cursor, "COUNT", count)
            self._cursors[stream], entries, nameless = wire.claimed(answer)
            self.counts.claimed += len(entries)
            await self._process(stream, entries, handle)
            if nameless:  # Redis 6.2 claims trimmed entries too, without telling their ids
                await self._finish_own([stream], handle)

    async def _process(self, stream: str, entries: Entries, handle: Handler) -> None:
        """Handle entries in their order and acknowledge those that were."""
        done: list[str] = []
        try:
            for entry_id, fields in entries:
                if self._stopped.is_set():
                    break
                await self._pass_on(stream, entry_id, fields, handle)
                done.append(entry_id)
        except BaseException:
            with suppress(AwayError):  # must not take the place of the handler's own error
                await self._acknowledge(stream, done)
            raise
        await self._acknowledge(stream, done)

    async def _pass_on(
        self, stream: str, entry_id: str, fields: wire.Fields, handle: Handler
    ) -> None:
        """Give an entry to the handler, unless there is nothing in it or nothing new."""
        if not fields:
            self.counts.trimmed += 1
            _log.warning("%s of %s was trimmed before it was handled", entry_id, stream)
            return
        delivery = wire.delivery(stream, entry_id, fields)
        if isinstance(delivery.event, UnknownEvent):
            self.counts.unknown += 1
            _log.warning("%s of %s is unknown: %s", entry_id, stream, delivery.event.reason)
        elif self._latest.is_new(delivery.event):
            await handle(delivery)
            self._latest.remember(delivery.event)
            self.counts.handled += 1
        else:
            self.counts.repeated += 1

    async def _acknowledge(self, stream: str, entry_ids: Sequence[str]) -> None:
        if entry_ids:
            await ask(self._redis, "XACK", stream, self._group, *entry_ids)
