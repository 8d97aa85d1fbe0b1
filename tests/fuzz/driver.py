"""Fuzzes one target in a process of its own: `python -m tests.fuzz.driver NAME [libFuzzer's]`.

atheris is no dependency of the tests, so it is imported by name: `make fuzz` installs it.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, cast

NAME = "tests.fuzz.targets"


class Atheris(Protocol):
    """What is used of atheris."""

    def instrument_imports(self, include: Sequence[str]) -> AbstractContextManager[None]:
        """Watch the branches of those packages whose modules are imported inside."""
        ...

    def Setup(self, argv: Sequence[str], run: Callable[[bytes], None]) -> object:  # noqa: N802
        """Take libFuzzer's options, and what to fuzz."""
        ...

    def Fuzz(self) -> None:  # noqa: N802 - atheris' own name, as above
        """Fuzz until the end of the process."""
        ...


GUIDES = ("service.front_door", "jobs", "callstream_client", "tests.fuzz")
"""Packages that are watched; a target reaches some of their modules."""


def main() -> None:
    """Fuzz what the first argument names, with the others as libFuzzer's options."""
    atheris = cast("Atheris", importlib.import_module("atheris"))
    with atheris.instrument_imports(include=GUIDES):
        targets = importlib.import_module(NAME)
    _program, name, *options = sys.argv
    atheris.Setup([name, *options], targets.TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
