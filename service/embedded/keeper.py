"""Runs one program, and ends it when the process that asked for it is gone.

A script of its own, started as `python -I -S keeper.py PARENT FOLDER PROGRAM [ARGUMENT...]` by
`service.embedded.child`, so that nothing of the parent is shared but a pair of pipes. It is the
program's parent, so it may signal it without the risk of hitting a reused pid. One byte on stdin
is an order, each is answered with a line on stdout; what the program prints goes to stderr. The end
of stdin, or a new parent, is the end of the program, and of FOLDER unless that is empty.

A held pipe instead of Linux' PR_SET_PDEATHSIG: that flag is unknown to macOS, follows the thread
that forked instead of the process, reaches no further than one program and cannot remove a folder.
The kernel closes the pipe however the parent died, SIGKILL included. The parent's pid is looked at
as well, because a forked copy of the parent may hold the pipe open for longer than it lives.
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
"""Orders that signal the program: terminate, kill, pause, continue."""
LOOK_EVERY_S = 0.5
"""How often the parent's pid is compared."""
PATIENCE_S = 25.0
"""How long a terminated program may take before it is killed."""


class Keeper:
    """One program at a time, started and signalled on order."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._program: subprocess.Popen[bytes] | None = None

    def obey(self, order: bytes) -> str:
        """Carry out one order; returns the pid of the running program, or `ended STATUS`."""
        if order == b"s" and not self._running():
            self._program = subprocess.Popen(  # noqa: S603 - the command line of our own starter
                self._command, stdin=subprocess.DEVNULL, stdout=2, process_group=0
            )
        elif order in SIGNALS and self._program is not None and self._running():
            self._program.send_signal(SIGNALS[order])
            if order == b"k":
                self._program.wait()
        if self._program is None:
            return "ended"
        status = self._program.poll()
        return str(self._program.pid) if status is None else f"ended {status}"

    def end(self) -> None:
        """Terminate the program if it runs, and whatever it left running."""
        if self._program is None:
            return
        if self._running():
            self._program.send_signal(signal.SIGCONT)
            self._program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._program.wait(PATIENCE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._program.pid, signal.SIGKILL)
        self._program.wait()

    def _running(self) -> bool:
        return self._program is not None and self._program.poll() is None


def next_order(parent: int) -> bytes:
    """Wait for one byte on stdin; empty when the parent has closed it, or is gone."""
    while os.getppid() == parent:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY_S)
        if ready:
            return os.read(0, 1)
    return b""


def main(parent: str, folder: str, *command: str) -> None:
    """Obey orders until the parent is gone, then leave nothing behind."""
    keeper = Keeper(list(command))
    try:
        while order := next_order(int(parent)):
            os.write(1, f"{keeper.obey(order)}\n".encode())
    except BrokenPipeError:
        pass  # the parent died while it waited for an answer
    finally:
        keeper.end()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, frame: object) -> None:
    del number, frame
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    main(*sys.argv[1:])
