"""Runs the simulator as a process of its own, and ends it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]


class Running(msgspec.Struct, frozen=True):
    """A simulator that answers."""

    url: str
    portal_id: int
    token: str
    """The account's private token."""
    app_id: int
    client_id: str
    """The webhook app, for OAuth."""
    client_secret: str
    journal_client_id: str
    """The app that reads the journal."""
    journal_client_secret: str
    developer_key: str
    """`hapikey` of the webhook management endpoints."""

    def __repr__(self) -> str:
        """Hide the secrets."""
        return f"Running({self.url!r}, {self.portal_id})"


@contextlib.asynccontextmanager
async def simulator_process(*arguments: str, wait_s: float = 30) -> AsyncGenerator[Running, None]:
    """Run `python -m tests.simulator --port 0` with further arguments until the block ends.

    Raises:
        TimeoutError: it did not answer in time.
        RuntimeError: it ended at once.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.simulator",
        "--port=0",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(wait_s):
            line = await process.stdout.readline() if process.stdout else b""
        if not line:
            message = f"the simulator ended with status {await process.wait()}"
            raise RuntimeError(message)
        yield msgspec.json.decode(line, type=Running)
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
