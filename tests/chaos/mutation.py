"""A build with one protection removed, and the windows that are to notice."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

COPIED: Final = ("client", "jobs", "service", "tests", "pyproject.toml")
"""What a build is made of."""
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")


class Patch(msgspec.Struct, frozen=True):
    """A change to one file: a text that occurs in it once becomes another."""

    file: str
    before: str
    after: str

    def apply(self, tree: Path) -> None:
        """Change the file in a copy of the tree.

        Raises:
            ValueError: the text is not there, or not only once: the mutation is out of date.
        """
        path = tree / self.file
        text = path.read_text()
        if text.count(self.before) != 1:
            found = text.count(self.before)
            msg = f"{self.file} holds {self.before!r} {found} times, not once"
            raise ValueError(msg)
        path.write_text(text.replace(self.before, self.after))


class Mutation(msgspec.Struct, frozen=True, kw_only=True):
    """A protection, and how to remove it."""

    name: str
    removes: str
    patches: Sequence[Patch]
    windows: Sequence[str]
    """Those that are to notice, the likeliest first."""


def copy_tree(source: Path, target: Path) -> None:
    """Copy what a build is made of."""
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=_LEFT_OUT)
        else:
            shutil.copy2(source / name, target / name)
