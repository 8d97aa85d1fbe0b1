"""The virtual environments that the peers run in: one for each, made with venv and pip, kept."""

import asyncio
import sys
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path("build/bench/peers")
"""Where they are kept; to be deleted at will."""
INSTALLED_WITHIN_S: Final = 300.0


class Peer(msgspec.Struct, frozen=True):
    """Something that others would use."""

    name: str
    module: str
    """In `tests.bench.peers`, with its requirements beside it."""

    @property
    def requirements(self) -> Path:
        """What pip installs for it."""
        return Path(__file__).with_name(f"{self.module}.txt")


SDK: Final = Peer("hubspot-api-client", "sdk")
TAP: Final = Peer("tap-hubspot", "tap")


async def python_of(peer: Peer) -> Path | None:
    """Return the Python of a peer's own environment, made at need; None if pip cannot fill it."""
    folder = (FOLDER / peer.module).absolute()
    python = folder / "bin" / "python"
    if not python.exists():
        await _run(sys.executable, "-m", "venv", str(folder))
    install = (str(python), "-m", "pip", "install", "--quiet", "--requirement")
    return python if await _run(*install, str(peer.requirements)) else None


async def _run(*command: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(INSTALLED_WITHIN_S):
            return await process.wait() == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
