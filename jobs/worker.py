"""The worker: runs the queues' jobs with arq, and the tasks that a worker owns beside them.

`callstream worker` runs both queues in one process. `arq jobs.worker.WorkerSettings` (live) and
`arq jobs.worker.CollectionSettings` run one each, under arq's own command; their settings are read
from the environment when arq asks for them, not on import.

arq carries doorbells only: a job runs once, keeps no result, and is never retried. What is left
undone is in the ledger, and the sweep rings for it.
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from functools import partial
from typing import Any, Final, cast

import structlog
from arq.typing import WorkerCoroutine
from arq.worker import Function, Worker, func
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError

from jobs import logs
from jobs.backfill.collect import collect_calls
from jobs.backfill.restart import restart_forever
from jobs.config.settings import Settings, environment, load
from jobs.context import Context, open_context
from jobs.garbage import keep_for_good
from jobs.journal.task import read_forever
from jobs.live.aging import age_forever
from jobs.live.fetch import fetch_calls
from jobs.live.mending import mend_forever
from jobs.live.reread import reread_calls
from jobs.live.sweep import (
    announce_streams,
    connect_static,
    leave,
    sweep_forever,
    tell_strangers,
)
from jobs.live.verdicts import doubling
from jobs.liveness import Liveness
from jobs.log_limit import Quiet
from jobs.outliving import running
from jobs.presence import Presence
from jobs.queue import (
    COLLECT_CALLS,
    FETCH_CALLS,
    RECONCILE_CALLS,
    REREAD_CALLS,
    QueueName,
    connect_queue,
    decode_job,
    encode_job,
    queue_key,
)
from jobs.reconciliation.schedule import schedule_forever
from jobs.reconciliation.turn import reconcile_calls

SLOTS: Final[Mapping[QueueName, int]] = {"live": 20, "collections": 4}
"""Jobs that a worker runs at once, by queue."""
POLL_S: Final[Mapping[QueueName, float]] = {"live": 0.02, "collections": 0.1}
"""How often a queue is looked at. 20 ms costs about 3 % of a core and 13 ms of latency; 100 ms 1 %,
and a backfill that waits for its budget some 5 % of its rate."""
FLEET_JOBS: Final = 1_000
"""Jobs of the whole fleet up to which an orphan at the head of a queue hides no other job."""
JOB_TIMEOUT_S: Final[Mapping[QueueName, int]] = {"live": 60, "collections": 600}
JOB_MARGIN_S: Final = 30.0
"""A job that has not ended so long after its timeout does not end any more."""
POLL_WITHIN_S: Final = 120.0
"""A queue that is not looked at for so long is stuck, unless Redis is away."""
STEADY_S: Final = 30.0
"""A queue that was served for so long did not fail at its start."""
REDIS_RETRIES: Final = 20
"""With backoff up to 0.5 s: arq's own loop ends for good when its Redis client gives up."""

Job = Callable[..., Coroutine[object, object, None]]

_log = structlog.get_logger(__name__)


async def run(settings: Settings, queue: QueueName | None = None) -> None:
    """Run the queue `queue`, or both, until SIGTERM or SIGINT; jobs in hand are finished first.

    Jobs that do not finish within SHUTDOWN_GRACE give their calls back to the ledger.

    A Redis that is away is waited for, also at the start. When it is away for longer than arq
    waits, arq's workers end and are started anew.

    Raises:
        redis.AuthenticationError: Redis refuses our credentials at the start.
        PartitionsChangedError: STREAM_PARTITIONS is not what the streams were begun with.
    """
    names: tuple[QueueName, ...] = ("live", "collections") if queue is None else (queue,)
    async with contextlib.AsyncExitStack() as stack:
        stop = stack.enter_context(_signals())
        context = await _opened(settings, stack, stop)
        if context is None:
            return
        if "live" in names:
            await stack.enter_async_context(_tasks(context))
        if "collections" in names:
            await stack.enter_async_context(_collection_tasks(context))
        await stack.enter_async_context(_mending(context))
        keep_for_good()
        await asyncio.gather(*(_serve(context, name, stop) for name in names))


class _Worker(Worker):
    """arq's worker, whose loop is known to make progress."""

    def __init__(self, queue: QueueName, liveness: Liveness, **options: Any) -> None:  # noqa: ANN401 - arq's
        super().__init__(**options)
        self._loop_name = f"{queue} queue"
        self._liveness = liveness

    async def heart_beat(self) -> None:
        """Take note of one round of the loop."""
        self._liveness.beat(self._loop_name, POLL_WITHIN_S)
        await super().heart_beat()


async def _opened(
    settings: Settings, stack: contextlib.AsyncExitStack, stop: asyncio.Event
) -> Context | None:
    """Return the context once Redis is there to open it; None if `stop` comes first."""
    presence = Presence("ledger or streams")
    while not stop.is_set():
        try:
            opened = open_context(settings, slots=SLOTS["live"])
            context = await stack.enter_async_context(opened)
        except (AuthenticationError, AuthorizationError):
            raise
        except (RedisError, OSError) as error:
            presence.away(error)
            await _stopped_within(stop, doubling(presence.failures, 100, 2_000))
        else:
            presence.back()
            return context
    return None


async def _stopped_within(stop: asyncio.Event, wait_ms: int) -> None:
    """Return after the time, or as soon as `stop` is set."""
    jittered_s = wait_ms * random.uniform(0.8, 1.0) / 1000  # noqa: S311 - spreads, not secret
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), jittered_s)


async def _serve(context: Context, name: QueueName, stop: asyncio.Event) -> None:
    """Run one queue's jobs until `stop`, with one arq worker after the other."""
    failures = 0
    while not stop.is_set():
        options = _options(context.settings, name)
        worker = _Worker(name, context.liveness, handle_signals=False, **options)
        worker.ctx["context"] = context
        began = time.monotonic()
        try:
            await _run_worker(worker, stop)
        except (RedisError, OSError) as error:
            lasted_s = time.monotonic() - began
            failures = failures + 1 if lasted_s < STEADY_S else 1
            pause_ms = doubling(failures, 100, 5_000)
            _log.warning("queue left", queue=name, error=repr(error), again_in_ms=pause_ms)
            await _stopped_within(stop, pause_ms)
    _log.info("queue closed", queue=name)


async def _run_worker(worker: Worker, stop: asyncio.Event) -> None:
    """Run arq's worker until it fails, or until `stop` and the jobs in hand are finished."""

    async def finish() -> None:
        await stop.wait()
        worker.handle_sig_wait_for_completion(signal.SIGTERM)

    finishing = asyncio.create_task(finish())
    try:
        await worker.async_run()
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        finishing.cancel()
        await asyncio.gather(finishing, return_exceptions=True)
        await _close(worker)


async def _close(worker: Worker) -> None:
    """Close arq's worker; a Redis that is away forgets its health key by itself."""
    try:
        await worker.close()
    except (RedisError, OSError, asyncio.CancelledError) as error:
        _log.info("closed without a word", error=repr(error))
        await worker.pool.aclose(close_connection_pool=True)


@contextlib.contextmanager
def _signals() -> Generator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _tasks(context: Context) -> AsyncGenerator[None]:
    """Own the tasks beside the live queue's jobs."""
    worker = _name()
    try:
        async with running(
            sweep=partial(sweep_forever, context, worker),
            connection=partial(connect_static, context),
            strangers=partial(tell_strangers, context),
            aging=partial(age_forever, context),
            streams=partial(announce_streams, context),
        ):
            yield
    finally:
        await leave(context, worker)


@contextlib.asynccontextmanager
async def _collection_tasks(context: Context) -> AsyncGenerator[None]:
    """Own the tasks beside the collections queue's jobs."""
    async with running(
        reconciliations=partial(schedule_forever, context, _name()),
        backfills=partial(restart_forever, context),
        journal=partial(read_forever, context, _name()),
    ):
        yield


def _mending(context: Context) -> contextlib.AbstractAsyncContextManager[None]:
    """Own the task that looks after what Redis loses."""
    return running(mending=partial(mend_forever, context, _name()))


def _name() -> str:
    """Return a name that no other worker has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _job(job: Job, timeout_s: float) -> WorkerCoroutine:
    """Return the job as arq calls it: with the worker's context, and failing without a traceback.

    A Redis that is away fails the job; its calls wait in the ledger.
    """
    quiet = Quiet()

    async def run_job(ctx: dict[str, object], *arguments: object, **_named: object) -> None:
        context = cast("Context", ctx["context"])
        try:
            with context.liveness.working(job.__name__, timeout_s + JOB_MARGIN_S):
                await job(context, *arguments)
        except (RedisError, OSError, TimeoutError) as error:
            held_back = quiet.speak("given up")
            if held_back is not None:
                _log.warning(
                    "job given up",
                    job=job.__name__,
                    error=repr(error),
                    more_like_this=held_back,
                )

    return run_job


def _functions(name: QueueName) -> list[Function]:
    jobs: dict[str, Job] = (
        {FETCH_CALLS: fetch_calls}
        if name == "live"
        else {
            COLLECT_CALLS: collect_calls,
            RECONCILE_CALLS: reconcile_calls,
            REREAD_CALLS: reread_calls,
        }
    )
    timeout = JOB_TIMEOUT_S[name]
    return [
        func(_job(job, timeout), name=title, keep_result=0, timeout=timeout, max_tries=1_000)
        for title, job in jobs.items()
    ]


def _options(settings: Settings, name: QueueName) -> dict[str, Any]:
    """Return arq's arguments for one queue."""
    key = queue_key(settings.namespace, name)
    return {
        "functions": _functions(name),
        "queue_name": key,
        "redis_pool": connect_queue(
            settings.redis_url, settings.namespace, name, retries=REDIS_RETRIES, patient=True
        ),
        "job_serializer": encode_job,
        "job_deserializer": decode_job,
        "max_jobs": SLOTS[name],
        "poll_delay": POLL_S[name],
        "queue_read_limit": 2 * FLEET_JOBS,
        "job_timeout": JOB_TIMEOUT_S[name],
        "job_completion_wait": max(1, settings.shutdown_grace - 5),
        "keep_result": 0,
        "max_tries": 1_000,
        "health_check_interval": 10,
        "health_check_key": f"{key}:health:{socket.gethostname()}-{os.getpid()}",
        "log_results": False,
        "ctx": {},
    }


def _arq_settings(name: QueueName) -> type:
    """Return what arq's own command runs: the options of one queue, opened and closed by hooks."""
    settings = load(environment(), role="worker")
    stack = contextlib.AsyncExitStack()

    async def on_startup(ctx: dict[str, object]) -> None:
        logs.configure(settings.log_level, settings.log_format)
        context = await stack.enter_async_context(open_context(settings, slots=SLOTS["live"]))
        if name == "live":
            await stack.enter_async_context(_tasks(context))
        else:
            await stack.enter_async_context(_collection_tasks(context))
        await stack.enter_async_context(_mending(context))
        ctx["context"] = context
        keep_for_good()

    async def on_shutdown(_ctx: dict[str, object]) -> None:
        await stack.aclose()

    hooks = {"on_startup": on_startup, "on_shutdown": on_shutdown}
    return type("ArqSettings", (), {**_options(settings, name), **hooks})


def __getattr__(name: str) -> type:
    if name == "WorkerSettings":
        return _arq_settings("live")
    if name == "CollectionSettings":
        return _arq_settings("collections")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
