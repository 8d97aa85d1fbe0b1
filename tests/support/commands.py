"""Runs `callstream` and other programs of ours as a user does, away from the user's settings."""

import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jobs.config.settings import KINDS

ROOT: Final = Path(__file__).resolve().parents[2]
CALLSTREAM: Final = (sys.executable, "-m", "service.cli")
END_WITHIN_S: Final = 60.0

COMPLETE: Final = {
    "HUBSPOT_CLIENT_SECRET": "s3cret-of-the-app",
    "HUBSPOT_ACCESS_TOKEN": "t0ken-of-the-account",
    "HUBSPOT_PORTAL_ID": "62515",
    "PUBLIC_URL": "http://127.0.0.1:8000",
}
"""Settings with which every role starts, but for a Redis."""


def clean_environment(**settings: str) -> dict[str, str]:
    """Return our environment without any setting of Callstream but the given ones."""
    own = {name.upper() for name in KINDS}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}


def run_command(
    command: Sequence[str], folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder without `.env` until it ends."""
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
        check=False,
    )


@contextmanager
def started(
    command: Sequence[str], folder: Path, **settings: str
) -> Generator[subprocess.Popen[str]]:
    """Start a program in a folder without `.env`; what it prints goes into one pipe.

    It is killed if it still runs at the end of the block.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=clean_environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
