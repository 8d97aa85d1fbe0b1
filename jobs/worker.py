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
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, Final, cast

import structlog
from arq.typing import WorkerCoroutine
from arq.worker import Function, Worker, func
from redis.exceptions import RedisError

from jobs import logs
from jobs.context import Context, open_context
from jobs.fetch import fetch_calls
from jobs.queue import (
    FETCH_CALLS,
    REREAD_CALLS,
    QueueName,
    connect_queue,
    decode_job,
    encode_job,
    queue_key,
)
from jobs.reread import reread_calls
from jobs.settings import Settings, environment, load
from jobs.sweep import connect_accounts, leave, sweep_forever

SLOTS: Final[Mapping[QueueName, int]] = {"live": 20, "collections": 4}
"""Jobs that a worker runs at once, by queue."""
POLL_S: Final[Mapping[QueueName, float]] = {"live": 0.02, "collections": 0.5}
"""How often a queue is looked at. 20 ms costs about 3 % of a core and 13 ms of latency."""
FLEET_JOBS: Final = 1_000
"""Jobs of the whole fleet up to which an orphan at the head of a queue hides no other job."""
JOB_TIMEOUT_S: Final[Mapping[QueueName, int]] = {"live": 60, "collections": 600}
REDIS_RETRIES: Final = 20
"""With backoff up to 0.5 s: arq's own loop ends for good when its Redis client gives up."""

Job = Callable[..., Coroutine[object, object, None]]

_log = structlog.get_logger(__name__)


async def run(settings: Settings, queue: QueueName | None = None) -> None:
    """Run the queue `queue`, or both, until SIGTERM or SIGINT; jobs in hand are finished first.

    Jobs that do not finish within SHUTDOWN_GRACE give their calls back to the ledger.

    Raises:
        redis.RedisError: Redis was away at the start, or for longer than it is waited for.
        PartitionsChangedError: STREAM_PARTITIONS is not what the streams were begun with.
    """
    names: tuple[QueueName, ...] = ("live", "collections") if queue is None else (queue,)
    async with open_context(settings, slots=SLOTS["live"]) as context:
        workers = [Worker(**_options(settings, name), handle_signals=False) for name in names]
        for worker in workers:
            worker.ctx["context"] = context
        async with contextlib.AsyncExitStack() as stack:
            if "live" in names:
                await stack.enter_async_context(_tasks(context))
            await _run_until_signalled(workers)


async def _run_until_signalled(workers: list[Worker]) -> None:
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        for worker in workers:
            worker.handle_sig_wait_for_completion(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await asyncio.gather(*(worker.async_run() for worker in workers))
    except asyncio.CancelledError:
        _log.info("worker stops")
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        for worker in workers:
            await worker.close()


@contextlib.asynccontextmanager
async def _tasks(context: Context) -> AsyncGenerator[None]:
    """Own the tasks beside the live queue's jobs."""
    worker = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    tasks = [
        asyncio.create_task(sweep_forever(context, worker)),
        asyncio.create_task(connect_accounts(context)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await leave(context, worker)


def _job(job: Job) -> WorkerCoroutine:
    """Return the job as arq calls it: with the worker's context, and failing without a traceback.

    A Redis that is away fails the job; its calls wait in the ledger.
    """

    async def run_job(ctx: dict[str, object], *arguments: object, **_named: object) -> None:
        try:
            await job(cast("Context", ctx["context"]), *arguments)
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("job given up", job=job.__name__, error=repr(error))

    return run_job


def _functions(name: QueueName) -> list[Function]:
    jobs: dict[str, Job] = (
        {FETCH_CALLS: fetch_calls} if name == "live" else {REREAD_CALLS: reread_calls}
    )
    timeout = JOB_TIMEOUT_S[name]
    return [
        func(_job(job), name=title, keep_result=0, timeout=timeout, max_tries=1_000)
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
        ctx["context"] = context

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
