"""`callstream service` as a process: how it stops, what it refuses, that nothing of it is left."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.addresses import AddressTakenError, free_port, require_free
from service.embedded.server import EmbeddedRedis
from tests.support.commands import CALLSTREAM, COMPLETE, run_command, started
from tests.support.processes import eventually

pytestmark = pytest.mark.one_redis


def answers(port: int) -> bool:
    """Tell whether the service says that it lives."""
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with contextlib.closing(connection):
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
    return False


@contextmanager
def serving(
    folder: Path, redis: EmbeddedRedis, *arguments: str, **settings: str
) -> Generator[tuple[subprocess.Popen[str], int]]:
    """Run the service until it lives, and yield it with its port."""
    port = free_port()
    command = [*CALLSTREAM, "service", "--port", str(port), *arguments]
    with started(command, folder, **COMPLETE, REDIS_URL=redis.url, **settings) as process:
        assert eventually(lambda: answers(port), within_s=30)
        yield process, port


def begin_request(port: int) -> socket.socket:
    """Send a request but for the last byte of its body."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = "POST /webhooks/hubspot HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n["
    connection.sendall(head.encode())
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_status_0(
    tmp_path: Path, redis_server: EmbeddedRedis, number: signal.Signals
) -> None:
    """On SIGTERM or Ctrl-C the service ends with status 0."""
    with serving(tmp_path, redis_server) as (process, _):
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_request_in_hand_is_answered(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """A request that was begun before SIGTERM is still answered, a new connection is refused."""
    with serving(tmp_path, redis_server) as (process, port):
        with contextlib.closing(begin_request(port)) as connection:
            time.sleep(0.2)  # the head must have been read; nothing outside tells when
            process.terminate()
            assert eventually(lambda: not answers(port))
            connection.sendall(b"]")
            assert connection.recv(64).startswith(b"HTTP/1.1 401")
        assert process.wait(10) == 0


def test_a_request_that_does_not_end_is_cut(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """The service ends within SHUTDOWN_GRACE, status 0, whatever a client does."""
    with serving(tmp_path, redis_server, SHUTDOWN_GRACE="2") as (process, port):
        with contextlib.closing(begin_request(port)):
            time.sleep(0.2)  # as above
            begun = time.monotonic()
            process.terminate()
            assert process.wait(10) == 0
        assert time.monotonic() - begun < 3


def test_a_killed_service_leaves_no_worker(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """When the service is killed its workers end as well, so that the port is free again."""
    with serving(tmp_path, redis_server, "--workers", "2") as (process, port):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

        def free() -> bool:
            with contextlib.suppress(AddressTakenError):
                require_free("127.0.0.1", port)
                return True
            return False

        assert eventually(free)


def test_a_taken_port_is_refused(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """A second service on the same port is refused instead of sharing its requests."""
    with serving(tmp_path, redis_server) as (_, port):
        second = run_command(
            [*CALLSTREAM, "service", "--port", str(port)],
            tmp_path,
            **COMPLETE,
            REDIS_URL=redis_server.url,
        )
    assert second.returncode == 1
    assert second.stderr == (
        f"callstream: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "see --host and --port\n"
    )


def test_a_promise_that_redis_cannot_keep_stops_it(tmp_path: Path) -> None:
    """DURABILITY=fsync on a server that cannot is told in one line without a traceback."""
    with EmbeddedRedis() as server:
        result = run_command(
            [*CALLSTREAM, "service", "--port", str(free_port())],
            tmp_path,
            **COMPLETE,
            REDIS_URL=server.url,
            DURABILITY="fsync",
        )
    assert result.returncode == 1
    assert "DURABILITY" in result.stderr
    assert "Traceback" not in result.stderr
