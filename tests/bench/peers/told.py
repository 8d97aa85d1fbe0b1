"""What every peer prints when it is done. Standard library only."""

import json
import time
from importlib.metadata import version


class Told:
    """Counts a peer's CPU time from its first page on, and prints it."""

    def __init__(self, *packages: str) -> None:
        """Begin; `packages` are named with their versions."""
        self._packages = packages
        self._began = time.process_time()

    def print(self, calls: int) -> None:
        """Print a JSON object: calls, cpu_s (of the pages, not of the start), versions."""
        cpu_s = time.process_time() - self._began
        versions = ", ".join(f"{name} {version(name)}" for name in self._packages)
        print(json.dumps({"calls": calls, "cpu_s": cpu_s, "versions": versions}))  # noqa: T201
