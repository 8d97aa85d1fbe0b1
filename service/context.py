"""What one service process builds once and hands to its routes."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec
from redis.asyncio import Redis

from jobs.backfill.operate import Backfills
from jobs.config.settings import Settings
from jobs.deadletters.box import Box
from jobs.deadletters.envelope import Envelope
from jobs.headroom import Headroom
from jobs.ledger.ledger import Ledger, pulse_of
from jobs.outliving import running
from jobs.queue import Doorbells, Turns, connect_queue
from jobs.reconciliation.operate import Reconciling
from jobs.redis import connect
from jobs.timing import Timing
from service.figures import Desk
from service.front_door.body import BodyReader
from service.front_door.counters import FrontDoorCounters
from service.front_door.durability import durability_of
from service.front_door.marking import Committer
from service.front_door.refusals import Refusals
from service.front_door.remarking import Remarking
from service.front_door.ringing import Ringer
from service.front_door.signature import Verifier
from service.front_door.webhooks import FrontDoor
from service.health import Checks, RedisProbe
from service.oauth.opening import open_installs
from service.oauth.routes import InstallRoutes
from service.operations.dead_letters import DeadLetters
from service.start_up import tell_of_redis


class ServiceContext(msgspec.Struct, frozen=True):
    """The parts that routes ask for."""

    front_door: FrontDoor
    checks: Checks
    counters: FrontDoorCounters
    installs: InstallRoutes | None
    """None where the settings name no app."""
    backfills: Backfills
    reconciling: Reconciling
    desk: Desk
    dead_letters: DeadLetters


def verifier_of(settings: Settings) -> Verifier:
    """Return what judges signatures.

    Raises:
        ValueError: there is no secret or no public URL.
    """
    return Verifier(
        [secret.reveal() for secret in settings.hubspot_client_secret],
        settings.public_url,
        settings.signature_versions,
    )


@asynccontextmanager
async def open_context(settings: Settings, verifier: Verifier) -> AsyncGenerator[ServiceContext]:
    """Build the parts, and close what they hold in reverse.

    Redis may be away: it is first needed when a delivery comes.

    Raises:
        SettingsError: Redis cannot keep what `DURABILITY` promises.
    """
    timing = Timing().scaled(settings.timing_scale)
    counters = FrontDoorCounters()
    async with AsyncExitStack() as stack:
        # One retry: it mends a connection that a restart of Redis broke, and is soon over.
        probed = connect(settings.redis_url, retries=1)
        stack.push_async_callback(probed.aclose)
        headroom = Headroom(probed, "ledger", timing)
        queue = connect_queue(settings.redis_url, settings.namespace, "live")
        stack.push_async_callback(queue.aclose, close_connection_pool=True)
        doorbells = Doorbells(queue, settings.namespace)
        ringer = Ringer(doorbells, timing)
        await stack.enter_async_context(ringer.running())
        committer = await _committer(settings, timing, ringer, stack)
        await stack.enter_async_context(committer.running())
        refusals = Refusals(counters, probed, settings.namespace, timing)
        await stack.enter_async_context(running(refusals=refusals.tell_forever))
        await stack.enter_async_context(
            running(headroom=headroom.watch, told=partial(tell_of_redis, settings))
        )
        bodies = BodyReader(settings.max_body, timing)
        yield ServiceContext(
            FrontDoor(verifier, committer, bodies, counters, headroom=headroom),
            Checks(committer, RedisProbe(probed, settings.namespace, timing), headroom),
            counters,
            await open_installs(settings, timing, doorbells, stack),
            _backfills(settings, timing, stack),
            _reconciling(settings, timing, stack),
            _desk(settings, stack),
            _dead_letters(settings, timing, doorbells, stack),
        )


def _backfills(settings: Settings, timing: Timing, stack: AsyncExitStack) -> Backfills:
    """Return the operators' backfills, on clients of their own."""
    redis = connect(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    queue = connect_queue(settings.redis_url, settings.namespace, "collections")
    stack.push_async_callback(queue.aclose, close_connection_pool=True)
    namespace = settings.namespace
    return Backfills(redis, namespace, timing, Turns(queue, namespace))


def _reconciling(settings: Settings, timing: Timing, stack: AsyncExitStack) -> Reconciling:
    """Return the operators' reconciliations, on a client of their own."""
    redis = connect(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    return Reconciling(redis, settings.namespace, timing)


def _desk(settings: Settings, stack: AsyncExitStack) -> Desk:
    """Return what reads the operators' figures, on clients of its own."""
    ledger = connect(settings.redis_url)
    stack.push_async_callback(ledger.aclose)
    streams = connect(settings.streams_redis_url or settings.redis_url)
    stack.push_async_callback(streams.aclose)
    return Desk(ledger, streams, settings)


def _dead_letters(
    settings: Settings, timing: Timing, doorbells: Doorbells, stack: AsyncExitStack
) -> DeadLetters:
    """Return the operators' dead letters, on a client of their own."""
    redis = connect(settings.redis_url)
    stack.push_async_callback(redis.aclose)
    ledger = Ledger(redis, settings.namespace, timing)
    return DeadLetters(Box(redis, settings.namespace, ledger), doorbells.ring)


async def _committer(
    settings: Settings, timing: Timing, ringer: Ringer, stack: AsyncExitStack
) -> Committer:
    """Return the committer on a Redis client of its own, with what watches over its marks."""
    in_memory = settings.durability == "memory"
    pooled = connect(settings.redis_url) if in_memory else connect(settings.redis_url, retries=0)
    stack.push_async_callback(pooled.aclose)
    client: Redis = pooled
    if not in_memory:
        client = pooled.client()
        stack.push_async_callback(client.aclose)
    durability = await durability_of(settings.durability, client, timing.mark_deadline_ms // 2)
    watching = connect(settings.redis_url, retries=1)
    stack.push_async_callback(watching.aclose)
    namespace, envelope = settings.namespace, Envelope(settings.token_keys)
    pulse = pulse_of(watching, namespace, timing)
    marks = Remarking(
        Ledger(client, namespace, timing, envelope, pulse=pulse),
        Ledger(watching, namespace, timing, envelope, pulse=pulse),
        pulse,
        ringer,
        timing,
    )
    await stack.enter_async_context(marks.running())
    return Committer(marks, ringer, timing, durability=durability)
