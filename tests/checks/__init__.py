"""What `make check` looks at beside the code: links, locks, settings and stray names.

Each check is a module with `problems()`, which returns lines, and runs by `python -m`.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""


def files(root: Path = ROOT) -> list[Path]:
    """Return the repository's files, relative to it: tracked ones, and new ones not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in paths if (root / path).is_file()]


def text_of(path: Path) -> str | None:
    """Return what a text file holds, None for any other file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def report(name: str, problems: Iterable[str]) -> None:
    """Print the problems, if any, and end the process: 0 without one, else 1."""
    found = list(problems)
    for problem in found:
        sys.stderr.write(f"{name}: {problem}\n")
    if not found:
        sys.stdout.write(f"{name}: nothing found\n")
    sys.exit(1 if found else 0)
