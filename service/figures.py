"""What Redis holds at this moment, in figures: ledger, streams, dead letters, queues.

Only reads. Keys as `jobs.ledger.ledger`, `jobs.stream.stream`, `jobs.ledger.deadletters` and
`jobs.queue` lay them out; a figure that two commands give is not of one instant.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis

from jobs.backfill.report import Report, report_of
from jobs.backfill.runs import Runs
from jobs.queue import queue_key
from jobs.reconciliation.operate import Reconciled, Reconciling
from jobs.redis import command
from jobs.timing import Timing

WITHIN_S: Final = 10.0
"""How long Redis may take for all of it."""
SCAN_STEP: Final = 1_000


class Portal(msgspec.Struct, frozen=True):
    """The ledger of one account."""

    portal_id: int
    connected: bool
    due: int
    """Calls that wait to be read."""
    leased: int
    """Calls that a worker is reading."""
    asleep_until: int = 0
    """Until when nothing is asked of the account, in epoch ms; 0 = it is awake."""
    why: str = ""
    """Why it sleeps, or was disconnected."""


class Group(msgspec.Struct, frozen=True):
    """A consumer group of a stream."""

    name: str
    consumers: int
    pending: int
    """Events given out and not acknowledged."""
    lag: int | None = None
    """Events not yet given out; None where the server cannot tell (before Redis 7)."""


class StreamFigures(msgspec.Struct, frozen=True):
    """One partition's stream."""

    key: str
    length: int
    last_id: str = ""
    groups: tuple[Group, ...] = ()


class Figures(msgspec.Struct, frozen=True):
    """All of it."""

    portals: tuple[Portal, ...]
    streams: tuple[StreamFigures, ...]
    dead_letters: int
    queued: Mapping[str, int]
    """Jobs in each queue, those in hand included."""
    workers: int
    """Workers of the live queue that were heard of lately."""
    reconciled: tuple[Reconciled, ...] = ()
    """Where each account's reconciliation stands, and what nobody had told of."""
    backfills: tuple[Report, ...] = ()
    """The latest backfill of each kind and account."""


async def waiting(redis: Redis, namespace: str) -> int:
    """Return how many calls of connected accounts are due or being read.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    prefix = f"{keys.prefix(namespace)}ledger:"
    async with asyncio.timeout(WITHIN_S):
        portals = _texts(await command(redis, "ZRANGE", f"{prefix}portals", 0, -1))
        counts = [
            await command(redis, "ZCARD", f"{prefix}{portal}:{room}")
            for portal in portals
            for room in ("due", "leases")
        ]
    return sum(map(_number, counts))


async def workers(redis: Redis, namespace: str) -> int:
    """Return how many workers of the live queue were heard of lately.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    async with asyncio.timeout(WITHIN_S):
        fleet = f"{keys.prefix(namespace)}ledger:fleet"
        return _number(await command(redis, "ZCARD", fleet))


async def read_figures(ledger: Redis, streams: Redis, namespace: str) -> Figures:
    """Return the figures; looks through the ledger's whole key space, so not for every second.

    Raises:
        redis.RedisError: Redis does not answer.
        TimeoutError: it did not within `WITHIN_S`.
    """
    prefix = keys.prefix(namespace)
    async with asyncio.timeout(WITHIN_S):
        partitions = await command(streams, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
        return Figures(
            portals=tuple([await _portal(ledger, prefix, p) for p in await _ids(ledger, prefix)]),
            streams=tuple(
                [
                    await _stream(streams, keys.stream(namespace, p))
                    for p in range(_number(partitions))
                ]
            ),
            dead_letters=_number(await command(ledger, "XLEN", f"{prefix}calls:dead")),
            queued={
                name: _number(await command(ledger, "ZCARD", queue_key(namespace, name)))
                for name in ("live", "collections")
            },
            workers=await workers(ledger, namespace),
            reconciled=await _reconciled(ledger, namespace),
            backfills=tuple(map(report_of, await Runs(ledger, namespace, Timing()).all())),
        )


async def _reconciled(ledger: Redis, namespace: str) -> tuple[Reconciled, ...]:
    reconciling = Reconciling(ledger, namespace, Timing())
    return tuple([await reconciling.look(portal) for portal in await reconciling.accounts()])


async def _ids(ledger: Redis, prefix: str) -> list[int]:
    """Return every portal that has a place in the ledger, connected or not."""
    start, found = f"{prefix}ledger:", set[int]()
    async for key in ledger.scan_iter(match=f"{start}*", count=SCAN_STEP):
        portal = cast("bytes", key).decode().removeprefix(start).partition(":")[0]
        if portal.isascii() and portal.isdigit():
            found.add(int(portal))
    return sorted(found)


async def _portal(ledger: Redis, prefix: str, portal_id: int) -> Portal:
    base = f"{prefix}ledger:{portal_id}"
    fields = cast(
        "list[bytes | None]",
        await command(ledger, "HMGET", base, "open", "asleep_until", "why"),
    )
    seconds, micros = map(_number, cast("tuple[object, object]", await command(ledger, "TIME")))
    asleep_until = _number(fields[1])
    return Portal(
        portal_id=portal_id,
        connected=fields[0] == b"1",
        due=_number(await command(ledger, "ZCARD", f"{base}:due")),
        leased=_number(await command(ledger, "ZCARD", f"{base}:leases")),
        asleep_until=asleep_until if asleep_until > seconds * 1_000 + micros // 1_000 else 0,
        why=(fields[2] or b"").decode(errors="replace"),
    )


async def _stream(streams: Redis, key: str) -> StreamFigures:
    if not _number(await command(streams, "EXISTS", key)):
        return StreamFigures(key, 0)
    info = cast("Mapping[str, object]", await streams.xinfo_stream(key))
    groups = cast("list[Mapping[str, object]]", await streams.xinfo_groups(key))
    return StreamFigures(
        key,
        _number(info["length"]),
        _text(info["last-generated-id"]),
        tuple(
            Group(
                _text(group["name"]),
                _number(group["consumers"]),
                _number(group["pending"]),
                None if group.get("lag") is None else _number(group["lag"]),
            )
            for group in groups
        ),
    )


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | bytes | str) and value else 0


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _texts(value: object) -> list[str]:
    return [_text(item) for item in value] if isinstance(value, list) else []
