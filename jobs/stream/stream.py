"""The call streams: decides which read states are new, and appends those as events.

A reader takes a ticket of each partition before its first request to HubSpot, and offers what it
read with it. One script per batch compares each call with its record and appends what is new; its
rules are in `jobs/lua/stream/publish.lua`. Every promise about order and repetition is kept there.

Keys, on the streams' Redis, after the namespace, for the partition 0; a partition's keys share its
hash tag:

- `calls:{0}`: the stream, one CloudEvents event per entry
- `clock:{0}`: the partition's clock, epoch ms; tickets, stamps and versions are values of it
- `records:{0}...`: see `jobs.stream.records`
- `refused:{0}:<portal>`: hash, call -> an older state that HubSpot gave, since when and how often;
  rare, expires
- `pulse:{0}` and `pulse:{0}:processes`: see `jobs.pulse.pulse`
- `calls:meta`: hash: partitions, schema (the version of the events), stream_max_age (s, 0 = none)
"""

import struct
from collections.abc import Collection, Sequence
from typing import Final, Literal
from zlib import crc32

import msgspec
from callstream_client import events, keys
from redis.asyncio import Redis

from jobs.pulse.pulse import Pulse
from jobs.redis import command
from jobs.scripts import Script
from jobs.stream.records import Records, State
from jobs.timing import Timing


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one call as it was read."""

    call_id: str
    ticket: int
    """Taken of the call's partition before the read's first request."""
    digest: bytes
    """Of `jobs.events.digest`."""
    updated_at_ms: int
    """HubSpot's `updatedAt`; 0 for a call that is gone or merged."""
    state: State
    first_type: Literal["created", "snapshot", "deleted"]
    """The event's type should the call never have been seen; not used for gone and merged ones."""
    time: str
    """CloudEvents `time`, RFC 3339."""
    data: bytes
    """The event's payload, UTF-8 JSON."""
    traceparent: str | None = None


class Published(msgspec.Struct, frozen=True, array_like=True, tag_field="outcome", tag="published"):
    """The state was new and is on the stream."""

    version: int
    type: Literal["created", "updated", "deleted", "restored", "snapshot"]
    reverted: bool
    """True when HubSpot has insisted on a state that is older than the published one."""


class Unchanged(msgspec.Struct, frozen=True, array_like=True, tag_field="outcome", tag="unchanged"):
    """The state is the last published one, which is now confirmed."""


class Overtaken(msgspec.Struct, frozen=True, array_like=True, tag_field="outcome", tag="overtaken"):
    """Another reader published or confirmed since this read began: read again."""


class Lagging(msgspec.Struct, frozen=True, array_like=True, tag_field="outcome", tag="lagging"):
    """HubSpot gave an older state than the published one, as a lagging replica does: read again."""

    times: int
    """How often in a row it gave this one."""


class Unknown(msgspec.Struct, frozen=True, array_like=True, tag_field="outcome", tag="unknown"):
    """The call is gone and was never published: no event."""


Outcome = Published | Unchanged | Overtaken | Lagging | Unknown


class StaleProjectionError(Exception):
    """The calls were read with an older projection than the partition knows: nothing was done."""

    def __init__(self, generation: int) -> None:
        super().__init__(f"the streams know projection generation {generation} already")
        self.generation = generation


class PartitionsChangedError(Exception):
    """`STREAM_PARTITIONS` is not what the streams were begun with; the message says what to do."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    clock: int
    generation: int
    outcomes: list[Outcome]
    epoch: str
    count: int


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(_Answer)


_halves = struct.Struct(">II").unpack


class _Packed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A candidate for Redis, whose msgpack knows no raw bytes."""

    call: str
    ticket: int
    high: int
    """Of the digest: it travels as two numbers."""
    low: int
    updated_at: int
    state: str
    first_type: str
    time: str
    data: msgspec.Raw
    """A text whose UTF-8 is taken over as it is."""
    traceparent: str | None = None


_TEXT: Final = struct.Struct(">BI")
_LONG_TEXT: Final = 0xDB
"""msgpack's mark of a text whose length has four bytes."""


def _pack(candidate: Candidate) -> _Packed:
    high, low = _halves(candidate.digest)
    return _Packed(
        candidate.call_id,
        candidate.ticket,
        high,
        low,
        candidate.updated_at_ms,
        candidate.state,
        candidate.first_type,
        candidate.time,
        msgspec.Raw(_TEXT.pack(_LONG_TEXT, len(candidate.data)) + candidate.data),
        candidate.traceparent,
    )


class Stream:
    """The call streams of one deployment; raises `redis.RedisError` when Redis does not answer.

    A publish that was applied though its answer was lost may be repeated: its calls are then
    unchanged.
    """

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        timing: Timing,
        partitions: int,
        *,
        max_age_ms: int = 0,
    ) -> None:
        """Use `redis`, whose keys all start with `namespace` and a colon (none if it is empty).

        Args:
            redis: the streams' Redis.
            namespace: prefix of the keys, part of the events' `source`.
            timing: says how long HubSpot must insist on an older state, and how quickly a call
                that was read may be found to be gone.
            partitions: number of streams, fixed once set.
            max_age_ms: events older than this are trimmed; 0 keeps all.
        """
        self._redis = redis
        self._namespace = namespace
        self.partitions = partitions
        """How many streams there are."""
        self._max_age_ms = max_age_ms
        self._revert_after_ms = timing.revert_after_ms
        self._fresh_ms = timing.gone_apart_ms
        self._seen = [0] * partitions
        self.records = Records(redis, namespace, partitions)
        self.pulses = tuple(
            Pulse(redis, self._key("pulse", partition), timing) for partition in range(partitions)
        )
        """By partition: whether the streams' Redis still has what this process has published."""
        self._ticket = Script(redis, "stream/clock", "stream/ticket")
        self._publish = Script(
            redis,
            "stream/clock",
            "stream/table",
            "stream/records",
            "pulse/beat",
            "stream/publish",
        )

    async def prepare(self) -> None:
        """Announce the streams in `calls:meta`, once per process before anything else.

        Raises:
            PartitionsChangedError: they were begun with another number of partitions.
        """
        meta, field = keys.meta(self._namespace), keys.META_PARTITIONS
        await command(self._redis, "HSETNX", meta, field, self.partitions)
        held = msgspec.convert(await command(self._redis, "HGET", meta, field), bytes)
        if int(held) != self.partitions:
            msg = (
                f"STREAM_PARTITIONS is {self.partitions}, but the streams have {int(held)}: "
                f"every call must stay on its partition. Set STREAM_PARTITIONS={int(held)}, "
                "or begin anew under another NAMESPACE"
            )
            raise PartitionsChangedError(msg)
        seconds = self._max_age_ms // 1000
        named = (keys.META_SCHEMA, keys.SCHEMA_VERSION, "stream_max_age", seconds)
        await command(self._redis, "HSET", meta, *named)

    async def is_announced(self) -> bool:
        """Tell whether consumers can find the streams; not after Redis has lost its data."""
        meta = keys.meta(self._namespace)
        return bool(await command(self._redis, "HEXISTS", meta, keys.META_PARTITIONS))

    def partition_of(self, portal_id: int, call_id: str) -> int:
        """Return the call's partition: the CRC-32 of its partition key, modulo their number."""
        if self.partitions == 1:
            return 0
        return crc32(keys.partition_key(portal_id, call_id).encode()) % self.partitions

    async def present(self, portal_id: int, call_ids: Collection[str]) -> set[str]:
        """Return those of the portal's calls that were published, and not as gone or merged."""
        parts: dict[int, list[str]] = {}
        for call_id in call_ids:
            parts.setdefault(self.partition_of(portal_id, call_id), []).append(call_id)
        found: set[str] = set()
        for partition, part in parts.items():
            found |= await self.records.present(partition, portal_id, part)
        return found

    async def ticket(self, partition: int) -> int:
        """Return a ticket of the partition, to be taken before a read's first request."""
        answer = await self._ticket([self._key("clock", partition)], [self._seen[partition]])
        return self.witness(partition, msgspec.convert(answer, int))

    def seen(self, partition: int) -> int:
        """Return the latest clock value that this process has seen of the partition; 0 = none.

        It is a ticket of that moment: for a read that begins right after a publish of this process
        it is as good as a new one, and costs nothing. A late one only lets more be read again.
        """
        return self._seen[partition]

    async def publish(
        self, partition: int, portal_id: int, generation: int, candidates: Sequence[Candidate]
    ) -> list[Outcome]:
        """Publish those candidates whose state is new; return an outcome for each, in their order.

        Args:
            partition: of all the candidates.
            portal_id: of all the candidates.
            generation: of the projection that they were read with.
            candidates: what was read.

        Raises:
            StaleProjectionError: the partition knows a higher generation.
        """
        pulse = self.pulses[partition]
        batch = _packer.encode(
            {
                "portal": str(portal_id),
                "process": pulse.process,
                "source": keys.source(self._namespace, portal_id),
                "schema": events.CALL_EVENT_SCHEMA,
                "generation": generation,
                "seen": self._seen[partition],
                "revert_after": self._revert_after_ms,
                "fresh": self._fresh_ms,
                "max_age": self._max_age_ms,
                "candidates": [_pack(candidate) for candidate in candidates],
            }
        )
        sent = pulse.send()
        try:
            raw = await self._publish(
                [
                    keys.stream(self._namespace, partition),
                    self._key("clock", partition),
                    self.records.root(partition),
                    f"{self._key('refused', partition)}:{portal_id}",
                    pulse.key,
                ],
                [batch],
            )
        except BaseException as error:
            pulse.broken(sent, error)
            raise
        answer = _unpacker.decode(msgspec.convert(raw, bytes))
        pulse.heard(sent, answer.epoch, answer.count)
        if answer.generation > generation:
            raise StaleProjectionError(answer.generation)
        self.witness(partition, answer.clock)
        return answer.outcomes

    def witness(self, partition: int, clock: int) -> int:
        """Remember a value of the partition's clock, and return it: later ones will be higher."""
        self._seen[partition] = max(self._seen[partition], clock)
        return clock

    def _key(self, name: str, partition: int) -> str:
        return f"{keys.prefix(self._namespace)}{name}:{{{partition}}}"
