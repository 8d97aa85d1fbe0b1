"""What the invariants are judged by: the stand-in's truth, the streams, the ledger when quiet."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from callstream_client import keys
from callstream_client.events import CallEvent, decode
from redis.asyncio import Redis

from jobs.redis import command
from tests.simulator.messages import TrueCall
from tests.simulator.meters import Counts
from tests.support.outstanding import Outstanding

_PAGE = 1_000


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one account after quiet."""

    truth: Mapping[str, TrueCall]
    """Every call that ever was, by id."""
    events: Sequence[CallEvent]
    """As they lie on the streams: in order within each partition, so within each call."""
    outstanding: Outstanding
    counts: Counts
    """Of the requests that HubSpot got."""
    rate_limit: int
    """HubSpot's requests per 10 s."""
    properties: Collection[str]
    """Those that the deployment reads."""
    associations: Collection[str]
    """The types that it reads."""
    dead: frozenset[str] = frozenset()
    """Calls that lie in the dead letters."""
    unreadable: Sequence[str] = ()
    """Why entries of the streams are no events."""


async def read_events(redis: Redis, namespace: str) -> tuple[list[CallEvent], list[str]]:
    """Return all call events, partition after partition, and what is wrong with other entries."""
    held = await command(redis, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
    partitions = int(msgspec.convert(held or b"0", bytes))
    events: list[CallEvent] = []
    unreadable: list[str] = []
    for partition in range(partitions):
        start = "-"
        while page := await redis.xrange(keys.stream(namespace, partition), start, count=_PAGE):
            start = f"({page[-1][0].decode()}"
            for entry_id, fields in page:
                event = decode(fields)
                if isinstance(event, CallEvent):
                    events.append(event)
                else:
                    unreadable.append(f"{entry_id.decode()}: {event!r}")
    return events, unreadable


async def read_dead(redis: Redis, namespace: str) -> dict[str, str]:
    """Return the calls that lie in the dead letters, each with its reason."""
    letters = await redis.xrange(f"{keys.prefix(namespace)}calls:dead")
    return {
        fields.get(b"call_id", b"?").decode(): fields.get(b"reason", b"?").decode()
        for _, fields in letters
    }
