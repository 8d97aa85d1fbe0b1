"""What a worker builds once at its start and hands down to its jobs."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from jobs.accounts.accounts import Accounts
from jobs.accounts.opening import accounts_of
from jobs.backfill.runs import Runs
from jobs.config.settings import Settings
from jobs.config.values import ANYONE
from jobs.deadletters.envelope import Envelope
from jobs.headroom import Headroom
from jobs.hubspot.budget import Budget
from jobs.hubspot.client import HubSpot
from jobs.hubspot.dispositions import Dispositions
from jobs.hubspot.paths import Paths
from jobs.hubspot.transport import Transport, open_session
from jobs.journal.opening import Journal, journal_of
from jobs.ledger.aging import Aging
from jobs.ledger.ledger import Ledger, pulse_of
from jobs.live.latency import Latency
from jobs.live.paging import Pagings
from jobs.live.vanishing import Vanishing
from jobs.liveness import Liveness
from jobs.log_limit import Quiet
from jobs.outliving import running
from jobs.pulse.pulse import Pulse
from jobs.queue import Doorbells, Reconciles, Rereads, Turns, connect_queue
from jobs.reconciliation.comparing import Comparer
from jobs.reconciliation.missed import Missed
from jobs.reconciliation.store import Reconciliations
from jobs.redis import connect
from jobs.stream.discovery import Discovery
from jobs.stream.kinds import Kinds
from jobs.stream.projection import Listed, Projection, Projections
from jobs.stream.stream import Stream
from jobs.stream.trimming import trim_aged
from jobs.timing import Timing

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The parts that jobs work with; made by `open_context`, closed by it in reverse."""

    settings: Settings
    timing: Timing
    slots: int
    """Jobs that this worker runs at once on a queue."""
    ledger: Ledger
    pulse: Pulse
    """Of the ledger's Redis; those of the streams' are in `stream.pulses`."""
    stream: Stream
    projections: Projections
    accounts: Accounts
    budget: Budget
    hubspot: HubSpot
    dispositions: Dispositions
    discovery: Discovery
    kinds: Kinds
    vanishing: Vanishing
    pagings: Pagings
    aging: Aging
    doorbells: Doorbells
    rereads: Rereads
    reconciles: Reconciles
    reconciliations: Reconciliations
    comparer: Comparer
    missed: Missed
    runs: Runs
    turns: Turns
    journal: Journal | None
    """None if the settings name no app that may read it."""
    latency: Latency
    ledger_room: Headroom
    streams_room: Headroom
    """The same where one Redis holds both."""
    liveness: Liveness = field(default_factory=Liveness)
    """Whether the worker's loops and jobs make progress."""
    quiet: Quiet = field(default_factory=Quiet)
    """Keeps the log readable where every call meets the same error."""
    connected_at: dict[int, int] = field(default_factory=dict[int, int])
    """Portal -> since when it has been connected, as was last seen, in Redis' epoch ms."""
    _generations: dict[int, int] = field(default_factory=dict[int, int])
    """Portal -> the projection generation that the streams hold, where they refused ours."""
    _followed: dict[int, int] = field(default_factory=dict[int, int])
    """Portal -> the generation of the others' list that was told of, where that is followed."""

    async def projection(self, portal_id: int) -> Projection:
        """Return what is to be read of the portal's calls.

        When a new generation has begun, the portal's known calls are to be read again: that is
        asked of the collections queue, which takes one such request a generation.

        Raises:
            PortalFailure: all properties or associations are wanted, and HubSpot never said which
                there are.
            redis.RedisError: Redis is away.
        """
        wanted = Listed(self.settings.call_properties, listed_at=0)
        if ANYONE in wanted.names:
            wanted = await self.discovery.properties(portal_id)
        linked = Listed(self.settings.call_associations, listed_at=0)
        if ANYONE in linked.names:
            linked = await self.kinds.associations(portal_id)
        projection = await self.projections.current(
            portal_id,
            wanted.names,
            linked.names,
            listed_at=wanted.listed_at,
            linked_at=linked.listed_at,
            seen=self._generations.get(portal_id, 0),
        )
        self._tell_of_others(portal_id, projection)
        if projection.fresh:
            await self._begin_round(portal_id, projection.generation)
        return projection

    def _tell_of_others(self, portal_id: int, projection: Projection) -> None:
        """Log once for each list of others that is followed instead of our own."""
        if not projection.differs:
            self._followed.pop(portal_id, None)
        elif self._followed.get(portal_id) != projection.generation:
            self._followed[portal_id] = projection.generation
            _log.warning(
                "other processes read other properties: following them",
                portal_id=portal_id,
                generation=projection.generation,
            )

    async def _begin_round(self, portal_id: int, generation: int) -> None:
        """Have the portal's known calls read again; under a first list there mostly are none."""
        if generation == 1 and not await self.stream.records.count(portal_id):
            await self.projections.marked(portal_id, generation)
        else:
            await self.rereads.ask(portal_id, generation)

    def follow_projection(self, portal_id: int, generation: int) -> None:
        """Remember the generation below which the streams refuse what is read."""
        self._generations[portal_id] = generation


@contextlib.asynccontextmanager
async def open_context(settings: Settings, *, slots: int) -> AsyncGenerator[Context]:
    """Connect a worker to Redis and HubSpot; nothing is asked of HubSpot yet.

    Raises:
        redis.RedisError: Redis is away.
        PartitionsChangedError: STREAM_PARTITIONS is not what the streams were begun with.
    """
    timing = Timing().scaled(settings.timing_scale)
    namespace = settings.namespace
    async with contextlib.AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connect(settings.redis_url))
        streams_url = settings.streams_redis_url or settings.redis_url
        streams = await stack.enter_async_context(connect(streams_url))
        live = connect_queue(settings.redis_url, namespace, "live")
        stack.push_async_callback(live.aclose, close_connection_pool=True)
        collections = connect_queue(settings.redis_url, namespace, "collections")
        stack.push_async_callback(collections.aclose, close_connection_pool=True)
        session = await stack.enter_async_context(open_session())
        transport = Transport(session, settings.hubspot_api_url, timing)
        envelope = Envelope(settings.token_keys)
        pulse = pulse_of(redis, namespace, timing)
        ledger = Ledger(redis, namespace, timing, envelope, pulse=pulse)
        accounts = accounts_of(settings, redis, ledger, transport, timing)
        budget = Budget(
            redis,
            namespace,
            timing,
            rate_limit=settings.hubspot_rate_limit,
            reserve=settings.budget_reserve,
        )
        hubspot = HubSpot(transport, Paths(settings.hubspot_api_version), budget, accounts)
        stream = Stream(
            streams,
            namespace,
            timing,
            settings.stream_partitions,
            max_age_ms=settings.stream_max_age * 1000,
        )
        await stream.prepare()
        projections = Projections(redis, namespace, timing)
        streams_room = Headroom(streams, "streams", timing)
        trim = partial(
            trim_aged,
            streams,
            namespace,
            settings.stream_partitions,
            settings.stream_max_age * 1000,
        )
        ledger_room = streams_room
        watches: dict[str, Callable[[], Awaitable[None]]] = {
            "streams_room": partial(streams_room.watch, trim)
        }
        if streams_url != settings.redis_url:
            ledger_room = Headroom(redis, "ledger", timing)
            watches["ledger_room"] = ledger_room.watch
        await stack.enter_async_context(running(**watches))
        yield Context(
            settings=settings,
            timing=timing,
            slots=slots,
            ledger=ledger,
            pulse=pulse,
            stream=stream,
            projections=projections,
            accounts=accounts,
            budget=budget,
            hubspot=hubspot,
            dispositions=Dispositions(hubspot.dispositions),
            discovery=Discovery(hubspot, projections),
            kinds=Kinds(hubspot, projections),
            vanishing=Vanishing(redis, namespace, timing),
            pagings=Pagings(redis, namespace, timing),
            aging=Aging(redis, namespace, ledger),
            doorbells=Doorbells(live, namespace),
            rereads=Rereads(collections, namespace),
            reconciles=Reconciles(collections, namespace),
            reconciliations=Reconciliations(redis, namespace, timing),
            comparer=Comparer(streams, namespace, stream),
            missed=Missed(redis, namespace),
            runs=Runs(redis, namespace, timing, envelope),
            turns=Turns(collections, namespace),
            journal=journal_of(settings, redis, session, transport, timing),
            latency=Latency(),
            ledger_room=ledger_room,
            streams_room=streams_room,
        )
