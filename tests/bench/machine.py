"""Where a measurement was taken: figures of two machines are not to be compared."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import msgspec

from service.embedded.server import EmbeddedRedis

LIBRARIES: Final = ("aiohttp", "arq", "granian", "litestar", "msgspec", "redis", "uvloop")


class Machine(msgspec.Struct, frozen=True):
    """The machine, and the versions of what ran on it."""

    cpu: str
    cores: int
    kernel: str
    python: str
    redis: str
    libraries: dict[str, str]

    @classmethod
    def look(cls) -> Self:
        """Return this machine, with the Redis that is embedded by default."""
        return cls(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            redis=str(EmbeddedRedis().binary),
            libraries={name: version(name) for name in LIBRARIES},
        )

    def __str__(self) -> str:
        """Return the machine in one line."""
        return f"{self.cpu}, {self.cores} cores, {self.kernel}, Python {self.python}, {self.redis}"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown CPU"
