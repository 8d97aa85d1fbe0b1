"""Whether `requirements/*.txt` are what `pyproject.toml` asks for, and `--write` to make them so.

Both are resolved by uv for every platform and Python at once, with hashes. Pins that still suit are
kept; `--write --upgrade` takes the newest of everything.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.checks import ROOT, report

LARGEST = "requirements/dev.txt"
"""The lock file that holds what all the others hold, but for those beside it."""
LOCKS: dict[str, tuple[str, ...]] = {
    "requirements/runtime.txt": ("pyproject.toml", "--extra", "embedded"),
    "requirements/run.txt": ("pyproject.toml", "--extra", "embedded", "--group", "build"),
    LARGEST: ("pyproject.toml", "--extra", "embedded", "--group", "dev"),
    "requirements/fuzz.txt": ("--group", "fuzz", "--constraint", LARGEST),
}
"""The lock files in the order in which they are written, each with what it holds: what an image
needs, what `make run` needs in a fresh clone, what tests and checks need, what `make fuzz` needs
beside that."""
BESIDE = frozenset({"requirements/fuzz.txt"})
"""Lock files of packages that are installed beside those of the largest."""
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-package=callstream-client",
    "--quiet",
)
SOURCES = ("pyproject.toml", "README.md", "client/pyproject.toml", "client/README.md")
"""What uv reads; `client` is taken from the repository, never from an index."""
WITHIN_S = 120.0
UNREACHABLE = re.compile(r"connect|network|dns|timed? ?out|fetch|request|offline", re.IGNORECASE)
PIN = re.compile(r"^([\w.-]+)==(\S+?)(?:\s*;\s*(.+?))?\s*\\?$", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


class ResolutionError(Exception):
    """uv did not resolve the dependencies; the message is its own."""


def resolve(lock: str, root: Path = ROOT, more: Sequence[str] = ()) -> str:
    """Return what the lock file should hold, resolved in a copy so that no path gets into it.

    Raises:
        ResolutionError: the index cannot be reached, or the dependencies contradict each other.
    """
    uv = str(Path(sys.executable).with_name("uv"))
    with tempfile.TemporaryDirectory(prefix="callstream-lock-") as folder:
        copy = Path(folder)
        for source in (*SOURCES, LARGEST, lock):
            (copy / source).parent.mkdir(parents=True, exist_ok=True)
            if (root / source).exists():
                shutil.copy(root / source, copy / source)
        command = [uv, "pip", "compile", "-o", lock, *OPTIONS, *LOCKS[lock]]
        try:
            subprocess.run(
                [*command, *more],
                cwd=copy,
                capture_output=True,
                text=True,
                check=True,
                timeout=WITHIN_S,
            )
        except subprocess.CalledProcessError as error:
            raise ResolutionError(str(error.stderr).strip()) from error
        except subprocess.TimeoutExpired as error:
            msg = f"the index did not answer within {WITHIN_S:.0f} s: timed out"
            raise ResolutionError(msg) from error
        return (copy / lock).read_text(encoding="utf-8")


def pins(text: str) -> dict[str, str]:
    """Return what a lock file pins: per package and marker, the version."""
    return {
        f"{name} {marker or ''}".strip(): version for name, version, marker in PIN.findall(text)
    }


def unhashed(text: str) -> list[str]:
    """Return the pinned packages of a lock file that have no hash."""
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return [block.split("==")[0] for block in blocks if "==" in block and not HASH.search(block)]


def differences(lock: str, have: str, want: str) -> list[str]:
    """Return how a lock file differs from what it should pin.

    Hashes are not compared: they change when a project uploads one more wheel of a pinned version.
    """
    old, new = pins(have), pins(want)
    return [
        f"{lock}: {name} is {old.get(name, 'absent')}, should be {new.get(name, 'absent')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def disagreements(lock: str, have: str, larger: str) -> list[str]:
    """Return the pins of a lock file that the larger one does not share: both are installed."""
    others = pins(larger)
    return [
        f"{lock}: {name} is {version}, but {others.get(name, 'absent')} in the larger lock file"
        for name, version in pins(have).items()
        if others.get(name, version if lock in BESIDE else None) != version
    ]


def problems(lock: str, root: Path = ROOT) -> list[str]:
    """Return what is wrong with a lock file; an index out of reach is told and tolerated."""
    path = root / lock
    have = path.read_text(encoding="utf-8") if path.exists() else ""
    found = [f"{lock}: {name} has no hash" for name in unhashed(have)]
    if lock != LARGEST and (root / LARGEST).exists():
        found += disagreements(lock, have, (root / LARGEST).read_text(encoding="utf-8"))
    try:
        return found + differences(lock, have, resolve(lock, root))
    except ResolutionError as error:
        if not UNREACHABLE.search(str(error)):
            return [*found, f"{lock}: {error}"]
        sys.stderr.write(f"locks: {lock} not compared, no package index in reach\n")
        return found


def main() -> None:
    """Compare the lock files, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lock files")
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    arguments = parser.parse_args()
    if not arguments.write:
        report("locks", (line for lock in LOCKS for line in problems(lock)))
    for lock in LOCKS:
        text = resolve(lock, more=("--upgrade",) if arguments.upgrade else ())
        (ROOT / lock).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
