"""Looking at other processes."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable

POLL_S = 0.01


def alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return _ps(pid, "stat")[:1] not in {"", "Z"}
    return False


def parent_of(pid: int) -> int:
    """Return the process id of a process' parent."""
    return int(_ps(pid, "ppid"))


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process' children."""
    command = ["ps", "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (map(int, line.split()) for line in listed.splitlines())
    return [child for child, parent in pairs if parent == pid]


def eventually(truth: Callable[[], bool], within_s: float = 10.0) -> bool:
    """Wait for something that another process does, for at most so long."""
    deadline = time.monotonic() + within_s
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _ps(pid: int, column: str) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
