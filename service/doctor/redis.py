"""Whether a Redis is reachable, of a usable version and kind, keeps its data, and has room."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
from callstream_client import keys
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.config.settings import Settings
from jobs.config.urls import redacted
from jobs.redis import command, connect
from jobs.timing import Timing
from service.doctor.findings import Finding, Notes
from service.doctor.redis_facts import (
    Facts,
    judge_durability,
    judge_partitions,
    judge_redis,
)
from service.front_door.outages import Outage, outage_of
from service.health import RedisProbe

ASK_S: Final = 5.0
"""How long Redis may take to connect, and for each answer."""
_NETWORK: Final = "check that it runs, its address, TLS, and the network in between"
_HINTS: Final[Mapping[Outage, str]] = {
    Outage.DENIED: "check user and password in the URL, and the user's rights (ACL)",
    Outage.LOADING: "wait until it has read its data, and try again",
    Outage.UNWRITABLE: "its log says why: mostly a full disk, or one that cannot be written",
}
_CONFIG: Final = ("appendfsync", "save")


async def examine_redis(settings: Settings) -> Sequence[Finding]:
    """Examine the Redis of queue and ledger."""
    notes = Notes("redis")
    if not settings.redis_url:
        notes.warning("reachable", "not checked: REDIS_URL is not set", "set REDIS_URL")
        return notes.findings
    shared = settings.streams_redis_url in ("", settings.redis_url)
    facts = await _facts(settings.redis_url, settings, notes)
    if facts is not None:
        judge_redis(facts, notes)
        judge_durability(facts, settings, notes)
        if shared:
            judge_partitions(facts, settings, notes)
    return notes.findings


async def examine_streams(settings: Settings) -> Sequence[Finding]:
    """Examine the Redis of the streams, where it is another one."""
    notes = Notes("streams")
    if settings.streams_redis_url in ("", settings.redis_url):
        return ()
    facts = await _facts(settings.streams_redis_url, settings, notes)
    if facts is not None:
        judge_redis(facts, notes)
        judge_partitions(facts, settings, notes)
    return notes.findings


async def _facts(url: str, settings: Settings, notes: Notes) -> Facts | None:
    """Ask; None, and a finding, if nothing was answered."""
    where = redacted(url)
    try:
        async with asyncio.timeout(3 * ASK_S), connect(url, timeout_s=ASK_S, retries=0) as redis:
            facts = await ask_redis(redis, settings)
    except ValueError as error:
        notes.problem("reachable", f"{where}: {error}", "use a redis://, rediss:// or unix:// URL")
    except (RedisError, OSError, TimeoutError) as error:
        outage = outage_of(error) or Outage.UNREACHABLE
        notes.problem("reachable", f"{where}: {outage}", _HINTS.get(outage, _NETWORK))
    else:
        notes.ok("reachable", where)
        return facts
    return None


async def ask_redis(redis: Redis, settings: Settings) -> Facts:
    """Ask a Redis what is judged here.

    Raises:
        redis.RedisError, OSError: it does not answer, or not to us.
    """
    told = cast("Mapping[str, object]", await command(redis, "INFO"))
    probe = RedisProbe(redis, settings.namespace, Timing())
    held = await _partitions(redis, settings.namespace)
    return Facts(
        info={name: str(value) for name, value in told.items()},
        config={
            name: value for name in _CONFIG if (value := await _config(redis, name)) is not None
        },
        outage=await probe.outage(),
        partitions=held,
        waits_for_disk=await _knows_waitaof(redis),
    )


async def _partitions(redis: Redis, namespace: str) -> int | None:
    try:
        held = await command(redis, "HGET", keys.meta(namespace), keys.META_PARTITIONS)
    except ResponseError:  # such as on a node of a cluster that is not whole
        return None
    return int(held) if isinstance(held, bytes) else None


async def _config(redis: Redis, name: str) -> str | None:
    try:
        answer = await command(redis, "CONFIG", "GET", name)
    except ResponseError:  # managed servers know no CONFIG
        return None
    found = msgspec.convert(answer, list[bytes])
    return found[1].decode() if found else None


async def _knows_waitaof(redis: Redis) -> bool:
    """Whether it knows the command; with 0 of everything it waits for nothing."""
    try:
        await command(redis, "WAITAOF", 0, 0, 1)
    except ResponseError as error:
        return "unknown command" not in str(error).lower()
    return True
