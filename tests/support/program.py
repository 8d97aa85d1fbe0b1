"""One of our programs as a real process, with its log in a file."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from service.embedded.child import KeeperGoneError, Kept

_HANDED_ON: Final = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
"""What a program gets of our environment: no settings of the developer's own."""
_TAIL_LINES: Final = 40
_ELSEWHERE: Final = ("sh", "-c", 'cd "$0" && exec "$@"')
"""Runs a program in another folder, so that no `.env` of the developer's is read."""


class Program:
    """A program that can be started, killed and started again; it dies with the test process."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        inside: Path | None = None,
    ) -> None:
        """Make ready to run Python with `arguments`; nothing is started yet.

        Args:
            name: what the log and messages call it.
            arguments: for Python, such as `-m` and a module.
            folder: where its log goes.
            environ: its settings.
            inside: where it runs; None is `folder`, which has no `.env`.
        """
        self.name = name
        self.log = folder / f"{name}.log"
        mine = {key: os.environ[key] for key in _HANDED_ON if key in os.environ}
        command = [*_ELSEWHERE, str(inside or folder), sys.executable, *arguments]
        with self.log.open("ab") as output:
            self._kept = Kept(command, environ={**mine, **(environ or {})}, output=output)

    @property
    def pid(self) -> int | None:
        """The process id, None while it does not run."""
        return self._kept.pid

    async def start(self) -> None:
        """Start it; returns at once."""
        await asyncio.to_thread(self._kept.start)

    async def kill(self) -> None:
        """SIGKILL it and the processes it has started."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        await asyncio.to_thread(self._kept.kill)

    async def pause(self) -> None:
        """Freeze it."""
        await asyncio.to_thread(self._kept.pause)

    async def resume(self) -> None:
        """Let it go on."""
        await asyncio.to_thread(self._kept.resume)

    async def terminate(self, within_s: float) -> tuple[int | None, float]:
        """SIGTERM it and wait; returns its exit status and how long it took in s.

        The status is that of SIGKILL if it took longer than `within_s`.
        """
        began = time.monotonic()
        status = await asyncio.to_thread(self._kept.stop, within_s)
        return status, time.monotonic() - began

    async def running(self) -> bool:
        """Tell whether it runs."""
        return await asyncio.to_thread(self._kept.running)

    def close(self) -> None:
        """End it, whatever state it is in."""
        with contextlib.suppress(KeeperGoneError):
            self._kept.kill()
        self._kept.close()

    def text(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """Return the last lines of its log under its name."""
        lines = self.text().splitlines()[-_TAIL_LINES:]
        return "\n".join([f"--- {self.name} ({self.log})", *lines])
