"""Runs one server process, and ends it when the process that asked for it is gone.

A script of its own, started as `python -I -S keeper.py FOLDER PARENT SERVER [ARGUMENT...]` by
`service.embedded`, so that nothing of the parent is shared but a pair of pipes. It is the server's
parent, so it may signal it without the risk of hitting a reused pid. One byte on stdin is an order,
each is answered with a line; the end of stdin, or a new parent, is the end of server and folder.

A held pipe instead of Linux' PR_SET_PDEATHSIG: that flag is unknown to macOS, follows the thread
that forked instead of the process, and could not remove the folder. The kernel closes the pipe
however the parent died, SIGKILL included. The parent's pid is looked at as well, because a forked
copy of the parent may hold the pipe open for longer than the parent lives.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys

SIGNALS = {
    b"t": signal.SIGTERM,
    b"k": signal.SIGKILL,
    b"p": signal.SIGSTOP,
    b"c": signal.SIGCONT,
}
"""Orders that signal the server: terminate, kill, pause, continue."""
ENDING = {b"t", b"k"}
"""Orders that are answered when the server has ended."""
LOOK_EVERY_S = 0.5
"""How often the parent's pid is compared."""
PATIENCE_S = 10.0
"""How long a terminated server may take before it is killed."""


class Keeper:
    """One server process at a time, started and ended on order."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._server: subprocess.Popen[bytes] | None = None

    def obey(self, order: bytes) -> str:
        """Carry out one order; returns the pid of the running server, or `ended STATUS`."""
        if order == b"s" and not self._running():
            self._server = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)  # noqa: S603 - our own command line
        elif order in SIGNALS and self._server is not None and self._running():
            self._server.send_signal(SIGNALS[order])
            if order in ENDING:
                self._wait(self._server)
        if self._server is None:
            return "ended"
        status = self._server.poll()
        return str(self._server.pid) if status is None else f"ended {status}"

    def end(self) -> None:
        """Kill the server if it runs, and wait for it."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def _running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _wait(self, server: subprocess.Popen[bytes]) -> None:
        try:
            server.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def next_order(parent: int) -> bytes:
    """Wait for one byte on stdin; empty when the parent has closed it, or is gone."""
    while os.getppid() == parent:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY_S)
        if ready:
            return os.read(0, 1)
    return b""


def main(folder: str, parent: str, *command: str) -> None:
    """Obey orders until the parent is gone, then leave nothing behind."""
    keeper = Keeper(list(command))
    try:
        while order := next_order(int(parent)):
            os.write(1, f"{keeper.obey(order)}\n".encode())
    except BrokenPipeError:
        pass  # the parent died while it waited for an answer
    finally:
        keeper.end()
        shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, frame: object) -> None:
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
