"""The service on granian: the supervising process, and what runs in each of its workers."""

import contextlib
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from multiprocessing.connection import wait
from typing import cast

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from jobs import logs
from jobs.config.settings import Settings, SettingsError, environment, load
from jobs.garbage import keep_for_good
from service import app
from service.addresses import require_free

HEADER_READ_MS = 5_000
"""How long a client may take to send the head of a request."""
HEAD_BYTES = 65_536
"""The longest head of a request."""
CONNECTIONS = 4_096
"""Connections that one worker keeps at a time; more of them wait in the listener's queue.

Far more than there are honest ones: whoever sends slowly holds one for as long as a head or a body
may take, and those in the queue wait for that.
"""
OTHER_FILES = 256
"""Files that a worker has open besides, at most."""
MARGIN_S = 1
"""What of the grace is left to the supervisor after its workers were made to stop."""


Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
"""An ASGI application; Litestar's own type leaves out the lifespan."""


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT; requests in hand are finished within SHUTDOWN_GRACE.

    Raises:
        AddressTakenError: the address cannot be listened on.
    """
    require_free(host, port)
    Granian(
        "service.serving:create_app",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        respawn_failed_workers=workers > 1,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_READ_MS, max_buffer_size=HEAD_BYTES
        ),
        backpressure=connections_within_limits(),
        websockets=False,
        workers_kill_timeout=max(1, settings.shutdown_grace - MARGIN_S),
        log_level=LogLevels(settings.log_level),
        log_dictconfig={"handlers": {}, "loggers": {}},  # they go the way of our own logs
    ).serve()


def connections_within_limits() -> int:
    """Return how many connections a worker may keep, and let it open that many files if it may."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if allowed < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return max(OTHER_FILES, min(CONNECTIONS, allowed - OTHER_FILES))


def create_app() -> Application:
    """Return the application of one granian worker, which ends when its supervisor is gone.

    Raises:
        SettingsError: settings are missing or wrong.
    """
    settings = load(environment(), role="service")
    logs.configure(settings.log_level, settings.log_format)
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        threading.Thread(
            target=_end_with, args=(supervisor.sentinel, settings.shutdown_grace), daemon=True
        ).start()
    application = _failing_in_one_line(cast("Application", app.create_app(settings=settings)))
    keep_for_good()
    return application


def _failing_in_one_line(inner: Application) -> Application:
    """Return the application with an error at its start told once, wrong settings in one line."""

    async def outer(scope: Message, receive: Receive, send: Send) -> None:
        failure: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failure.append(message)
            else:
                await send(message)

        if scope["type"] != "lifespan":
            await inner(scope, receive, send)
            return
        try:
            await inner(scope, receive, hold_failure)
        except Exception as error:
            wrong = _settings_error(error)
            for message in failure:
                await send({**message, "message": str(wrong or "")})
            if wrong is None:
                raise

    return outer


def _settings_error(error: BaseException) -> SettingsError | None:
    """Return the SettingsError in an error, which may be a group of a group."""
    if isinstance(error, BaseExceptionGroup):
        inside: Sequence[BaseException] = error.exceptions
        return next((found for part in inside if (found := _settings_error(part))), None)
    return error if isinstance(error, SettingsError) else None


def _end_with(supervisor: int, grace_s: float) -> None:
    """End this worker once the supervisor is gone; after SIGKILL it would serve on, unseen."""
    wait([supervisor])
    with contextlib.suppress(ProcessLookupError):
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os._exit(1)
