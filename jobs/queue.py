"""The job queue: the one module, beside `jobs.worker`, that knows arq.

arq only carries doorbells. Its retries, results and deduplication are not used: a doorbell that
is lost, doubled or late costs latency, and the ledger finds what it was rung for.

Keys: arq's own (`arq:job:<id>` and the like have a constant prefix, so the namespace is in the
job's id) and one sorted set a queue, `<namespace>:callstream:live` and `...:collections`.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import msgspec
import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from redis.exceptions import RedisError

from jobs.ledger.messages import Bell
from jobs.log_limit import Quiet
from jobs.redis import pool

QueueName = Literal["live", "collections"]

COLLECT_CALLS = "collect_calls"
FETCH_CALLS = "fetch_calls"
REREAD_CALLS = "reread_calls"
RECONCILE_CALLS = "reconcile_calls"

_RINGS_AT_ONCE = 50
_RING_TIMEOUT_S = 5.0

_log = structlog.get_logger(__name__)

encode_job = cast("Callable[[dict[str, Any]], bytes]", msgspec.msgpack.Encoder().encode)
"""Jobs travel as msgpack: unpickling would run the code of anyone who can write to Redis."""
decode_job = cast("Callable[[bytes], dict[str, Any]]", msgspec.msgpack.Decoder().decode)


RUNNING = in_progress_key_prefix
"""Followed by a job's id, the key that exists while the job is run."""


def queue_key(namespace: str, name: QueueName) -> str:
    """Return the Redis key of a queue."""
    space = f"{namespace}:" if namespace else ""
    return f"{space}callstream:{name}"


def connect_queue(
    url: str, namespace: str, name: QueueName, *, retries: int = 3, patient: bool = False
) -> ArqRedis:
    """Return a client that can put jobs on the queue `name`; nothing is sent yet.

    Its owner closes it with `close_connection_pool=True`. `retries` and `patient` are those of
    `jobs.redis.pool`.
    """
    return ArqRedis(
        pool(url, retries=retries, patient=patient),
        job_serializer=encode_job,
        job_deserializer=decode_job,
        default_queue_name=queue_key(namespace, name),
    )


class Doorbells:
    """Rings portals: each ring is one small job on the live queue."""

    def __init__(self, queue: ArqRedis, namespace: str) -> None:
        """Ring through `queue`."""
        self._queue = queue
        self._space = f"{namespace}:" if namespace else ""
        self._slots = asyncio.Semaphore(_RINGS_AT_ONCE)
        self._quiet = Quiet()
        self.failed = 0
        """Rings that Redis did not take since the start; the sweep makes up for them."""

    async def ring(self, bells: Sequence[Bell]) -> None:
        """Ring each bell after its delay; a failure is logged and counted, never raised."""
        if not bells:
            return
        answers = await asyncio.gather(*map(self._ring, bells), return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, RedisError | OSError | TimeoutError):
                raise failure
        if failures:
            self.failed += len(failures)
            held_back = self._quiet.speak("not rung")
            if held_back is not None:
                _log.warning(
                    "doorbells not rung",
                    count=len(failures),
                    error=repr(failures[0]),
                    more_like_this=held_back,
                )

    async def _ring(self, bell: Bell) -> None:
        async with self._slots, asyncio.timeout(_RING_TIMEOUT_S):
            await self._queue.enqueue_job(
                FETCH_CALLS,
                bell.portal_id,
                bell.bell_id,
                _job_id=f"{self._space}bell:{bell.bell_id}",
                _defer_by=bell.delay_ms / 1000 if bell.delay_ms > 0 else None,
            )


class Rereads:
    """Asks for a portal's known calls to be marked again: one job on the collections queue."""

    def __init__(self, queue: ArqRedis, namespace: str) -> None:
        """Ask through `queue`."""
        self._queue = queue
        self._space = f"{namespace}:" if namespace else ""

    async def ask(self, portal_id: int, generation: int) -> None:
        """Ask once for a projection's generation; asked again while the job waits, nothing happens.

        Raises:
            redis.RedisError: Redis did not take it.
        """
        async with asyncio.timeout(_RING_TIMEOUT_S):
            await self._queue.enqueue_job(
                REREAD_CALLS,
                portal_id,
                generation,
                _job_id=f"{self._space}reread:{portal_id}:{generation}",
            )


class Reconciles:
    """Asks for turns at accounts' reconciliations: each is one job on the collections queue."""

    def __init__(self, queue: ArqRedis, namespace: str) -> None:
        """Ask through `queue`."""
        self._jobs = queue
        self._space = f"{namespace}:" if namespace else ""
        self.queue = queue_key(namespace, "collections")
        """The queue's key."""

    async def ask(self, portal_id: int) -> None:
        """Ask for one turn.

        Raises:
            redis.RedisError: Redis did not take it.
        """
        async with asyncio.timeout(_RING_TIMEOUT_S):
            await self._jobs.enqueue_job(
                RECONCILE_CALLS,
                portal_id,
                _job_id=f"{self._space}reconcile:{secrets.token_hex(8)}",
            )


class Turns:
    """Asks for turns of backfills: each is one small job on the collections queue."""

    def __init__(self, queue: ArqRedis, namespace: str) -> None:
        """Ask through `queue`."""
        self._queue = queue
        self._space = f"{namespace}:" if namespace else ""
        self.failed = 0
        """Turns that Redis did not take since the start; a worker finds the runs forgotten."""

    async def ask(self, portal_id: int, reads: str, *, delay_ms: int = 0) -> None:
        """Ask for a turn after a delay; a failure is logged and counted, never raised."""
        turn = secrets.token_hex(8)
        try:
            async with asyncio.timeout(_RING_TIMEOUT_S):
                await self._queue.enqueue_job(
                    COLLECT_CALLS,
                    portal_id,
                    reads,
                    turn,
                    _job_id=f"{self._space}turn:{portal_id}:{reads}:{turn}",
                    _defer_by=delay_ms / 1000 if delay_ms > 0 else None,
                )
        except (RedisError, OSError, TimeoutError) as error:
            self.failed += 1
            _log.warning("turn not asked for", portal_id=portal_id, reads=reads, error=repr(error))
