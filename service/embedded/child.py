"""Child processes that end with the process that started them, however that one ends."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ANSWER_WITHIN_S = 30.0
"""How long the keeper may take to carry out an order."""
LOOK_EVERY_S = 0.005
"""How often a stopping child is looked at."""


class KeeperGoneError(Exception):
    """The process that keeps the child does not answer; the child is gone, or will be."""


class Kept:
    """A child process behind a keeper; see `service.embedded.keeper` for how that ends it.

    The child is in a session of its own: Ctrl-C in a terminal reaches its starter only, which can
    then end its children in the right order. Not safe to use from several threads at once.
    """

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        environ: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
        folder: Path | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Make ready to run `command`; nothing is started yet.

        Args:
            command: the program and its arguments.
            environ: its environment; None hands on ours.
            output: where it prints, stdout and stderr alike; None is our stderr.
            folder: removed when this process is gone, or closes it.
            cwd: its working directory; None is ours.
        """
        script = Path(__file__).with_name("keeper.py")
        keeper = [sys.executable, "-I", "-S", str(script), str(os.getpid()), str(folder or "")]
        self._keeper = subprocess.Popen(  # noqa: S603 - our own script
            [*keeper, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            bufsize=0,
            start_new_session=True,
            env=environ,
            cwd=cwd,
        )
        self._folder = folder
        self._pid: int | None = None
        self._status: int | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id as last heard, None while it does not run."""
        return self._pid

    @property
    def status(self) -> int | None:
        """The exit status of the child's last run as last heard, negative for a signal's number."""
        return self._status

    def start(self) -> None:
        """Start the child, or start it again."""
        self._order(b"s")

    def running(self) -> bool:
        """Ask whether the child runs.

        Raises:
            KeeperGoneError: the keeper is gone; so it is for every order below.
        """
        self._order(b"?")
        return self._pid is not None

    def terminate(self) -> None:
        """Ask the child to end, by SIGTERM; returns at once."""
        self._order(b"t")

    def kill(self) -> None:
        """End the child by SIGKILL; returns when it is gone."""
        self._order(b"k")

    def pause(self) -> None:
        """Freeze the child: its connections stay open, nothing is answered."""
        self._order(b"p")

    def resume(self) -> None:
        """Let a frozen child go on."""
        self._order(b"c")

    def stop(self, within_s: float) -> int | None:
        """Terminate the child, kill it if it takes longer; returns its exit status."""
        self.terminate()
        deadline = time.monotonic() + within_s
        while self.running():
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(LOOK_EVERY_S)
        return self._status

    def close(self) -> None:
        """End the child if it still runs, and its folder; harmless when repeated."""
        stdin, stdout = self._keeper.stdin, self._keeper.stdout
        if stdin is None or stdout is None or stdin.closed:
            return
        stdin.close()
        try:
            if self._keeper.wait(ANSWER_WITHIN_S) != 0 and self._pid is not None:
                with contextlib.suppress(ProcessLookupError):  # somebody killed the keeper
                    os.killpg(self._pid, signal.SIGKILL)
        finally:
            stdout.close()
            self._pid = None
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _order(self, order: bytes) -> None:
        answer = self._answer_to(order)
        if answer.startswith(b"ended"):
            words = answer.split()
            self._pid, self._status = None, int(words[1]) if len(words) > 1 else None
        else:
            self._pid, self._status = int(answer), None

    def _answer_to(self, order: bytes) -> bytes:
        stdin, stdout = self._keeper.stdin, self._keeper.stdout
        if stdin is None or stdout is None or stdin.closed:
            msg = "already closed"
            raise KeeperGoneError(msg)
        answer = b""
        try:
            stdin.write(order)
            while not answer.endswith(b"\n"):
                answer += _read(stdout)
        except BrokenPipeError as gone:
            msg = "its keeper is gone"
            raise KeeperGoneError(msg) from gone
        return answer


def _read(pipe: IO[bytes]) -> bytes:
    ready, _, _ = select.select([pipe], [], [], ANSWER_WITHIN_S)
    if not ready or not (piece := pipe.read(64)):
        raise BrokenPipeError
    return piece
