"""The service and the worker as children of `callstream run`."""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from service.embedded.child import Kept

LOOK_EVERY_S: Final = 0.05
"""How often a stopping child is looked at."""
SERIOUS: Final = frozenset({"warning", "error", "critical"})
LONGEST_WORDS: Final = 300


class Child:
    """A `callstream` command in a process of its own, which does not outlive this one."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        log_folder: Path | None,
    ) -> None:
        """Start `callstream NAME`; it logs into the folder, or to our stderr without one."""
        self.name = name
        self._log = None if log_folder is None else log_folder / f"{name}.log"
        self._read = 0
        command = [sys.executable, "-m", "service.cli", name, *arguments]
        if self._log is None:
            self._process = Kept(command, environ=environ)
        else:
            with self._log.open("wb") as log:
                self._process = Kept(command, environ=environ, output=log)
        self._process.start()

    def ended(self) -> str | None:
        """Return how it ended, None while it runs."""
        if self._process.running():
            return None
        words = self._last_words()
        status = f"the {self.name} ended with status {self._process.status}"
        return f"{status}: {words}" if words else status

    def complaint(self) -> str:
        """Return the last serious line that its log gained since the last call, or nothing."""
        if self._log is None:
            return ""
        with self._log.open("rb") as log:
            log.seek(self._read)
            grown = log.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        self._read += len(whole)
        told = [words for line in whole.splitlines() if (words := _serious(line))]
        return f"{self.name}: {told[-1]}" if told else ""

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def running(self) -> bool:
        """Ask whether it runs."""
        return self._process.running()

    def close(self) -> None:
        """End it, by force if it still runs."""
        if self._process.running():
            self._process.kill()
        self._process.close()

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        lines = self._log.read_text(errors="replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        return (_serious(last.encode()) or last).removeprefix("callstream: ")[:LONGEST_WORDS]


async def stop_all(children: Iterable[Child], within_s: float) -> None:
    """Terminate the children together, and kill those that take longer."""
    remaining = [child for child in children if child.running()]
    for child in remaining:
        child.terminate()
    deadline = time.monotonic() + within_s
    while remaining and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        remaining = [child for child in remaining if child.running()]


def _serious(line: bytes) -> str:
    """Return what a log line says if it is a warning or worse, else nothing."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.DecodeError:
        return line.decode(errors="replace")[:LONGEST_WORDS]
    return str(entry.get("event", "")) if entry.get("level") in SERIOUS else ""
