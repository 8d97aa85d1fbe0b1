"""What a known call costs Redis in memory: `python -m tests.bench.record_memory`.

Publishes calls with sparse 12-digit ids, as one portal and as many, drops the events, and divides
what is left by the number of calls. What the target is about is a server built with jemalloc, whose
size classes count; `--server` names one.
"""

import argparse
import asyncio
from random import Random
from time import perf_counter
from typing import Final

import msgspec
from redis.asyncio import Redis

from jobs.redis import command, connect
from jobs.stream.stream import Published, Stream
from jobs.timing import Timing
from service.embedded.binaries import ServerBinary, inspect
from service.embedded.server import EmbeddedRedis
from tests.bench.sheet import Row, hand_in
from tests.support.candidates import live

BATCH: Final = 500
FORGET_EVENTS_EVERY: Final = 100_000
LOOKED_AT: Final = 2_000
"""Buckets of which encoding and size are asked."""
FROM_HUNDRED: Final = 48
BELOW_HUNDRED: Final = 64
"""Bytes per call that are aimed at, from a hundred calls per portal and below."""
FREED_AT_ONCE: Final = {"lazyfree-lazy-user-del": "no", "lazyfree-lazy-user-flush": "no"}
"""Valkey frees in the background, which would be counted."""
SMALL_PORTALS: Final = ((20_000, 1), (10_000, 3), (2_000, 7), (2_000, 8), (1_000, 20), (500, 50))
PORTALS: Final = ((100, 100), (50, 200), (20, 1_000))


class _Memory(msgspec.Struct):
    used: int
    allocator: str


async def _memory(url: str) -> _Memory:
    """Return what the server has allocated, seen by a fresh client, whose buffers are small."""
    async with connect(url) as redis:
        raw = msgspec.convert(await redis.info("memory"), dict[str, str | int | float])
    return _Memory(int(raw["used_memory"]), str(raw["mem_allocator"]))


async def _publish(stream: Stream, portal_id: int, calls: list[str]) -> None:
    ticket = await stream.ticket(0)
    outcomes = await stream.publish(0, portal_id, 1, [live(call, ticket) for call in calls])
    assert all(isinstance(outcome, Published) for outcome in outcomes)


def _calls(random: Random, count: int) -> list[str]:
    """Return distinct 12-digit ids, sparse and in no order."""
    return [str(number) for number in random.sample(range(10**11, 10**12), count)]


async def _largest(redis: Redis) -> tuple[int, bool]:
    """Return the largest bucket's fields, and whether all buckets are compact."""
    keys = msgspec.convert(await command(redis, "KEYS", "records:*"), list[bytes])
    largest, compact = 0, True
    for key in keys[:LOOKED_AT]:
        largest = max(largest, msgspec.convert(await command(redis, "HLEN", key), int))
        compact &= await command(redis, "OBJECT", "ENCODING", key) in {b"listpack", b"ziplist"}
    return largest, compact


async def _learn(redis: Redis, portals: int, calls: int) -> None:
    """Publish `calls` calls of each of `portals` portals, and keep no events."""
    stream, random, waiting = Stream(redis, "", Timing(), 1), Random(portals * calls), 0
    for portal_id in random.sample(range(10**7, 10**8), portals):
        known = _calls(random, calls)
        for start in range(0, calls, BATCH):
            await _publish(stream, portal_id, known[start : start + BATCH])
        waiting += calls
        if waiting >= FORGET_EVENTS_EVERY:
            await command(redis, "DEL", "calls:{0}")
            waiting = 0
    await command(redis, "DEL", "calls:{0}", "clock:{0}")


async def measure(url: str, portals: int, calls: int) -> Row:
    """Return what so many calls of so many portals cost an empty server."""
    async with connect(url) as redis:
        # Scripts, and the histogram of each command's first use, are no part of the records.
        await _learn(redis, 1, 1_000)
        await command(redis, "FLUSHALL")
    before = await _memory(url)
    async with connect(url) as redis:
        begun = perf_counter()
        await _learn(redis, portals, calls)
        took = perf_counter() - begun
    after = await _memory(url)
    async with connect(url) as redis:
        largest, compact = await _largest(redis)
    each = (after.used - before.used) / (portals * calls)
    target = FROM_HUNDRED if calls >= 100 else BELOW_HUNDRED
    return {
        "allocator": after.allocator,
        "portals": portals,
        "calls each": calls,
        "bytes per call": each,
        "target": target,
        "met": "yes" if each <= target else "no",
        "largest bucket": largest,
        "compact": "yes" if compact else "no",
        "calls/s": round(portals * calls / took),
    }


async def run(binary: ServerBinary | None, shapes: list[tuple[int, int]]) -> list[Row]:
    """Measure each shape on a server of its own."""
    rows: list[Row] = []
    for portals, calls in shapes:
        with EmbeddedRedis(binary, options=FREED_AT_ONCE) as server:
            rows.append(await measure(server.url, portals, calls))
    return rows


def main() -> None:
    """Measure, print a table and write the JSON result."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.record_memory")
    parser.add_argument("--server", help="path of a redis-server or valkey-server binary")
    parser.add_argument(
        "--calls",
        type=int,
        nargs="*",
        default=[10_000, 1_000_000],
        help="calls of a single portal (10000 1000000)",
    )
    options = parser.parse_args()
    binary = inspect(options.server, "--server") if options.server else None
    shapes = [(1, calls) for calls in options.calls]
    rows = asyncio.run(run(binary, [*SMALL_PORTALS, *PORTALS, *shapes]))
    hand_in("record_memory", rows)


if __name__ == "__main__":
    main()
