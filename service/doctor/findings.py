"""What the doctor finds, and how checks are kept from getting into each other's way."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, Literal

import msgspec

Level = Literal["ok", "warning", "problem"]
Group = Literal[
    "settings",
    "redis",
    "streams",
    "hubspot",
    "accounts",
    "clocks",
    "public url",
    "subscriptions",
]

WITHIN_S: Final = 45.0
"""How long a group of checks may take; each of its questions has a limit of its own, 10 s at most,
and few must wait for another's answer."""


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    group: Group
    check: str
    """What was looked at, in a word or two."""
    level: Level
    """`problem`: something does not work, or data will be lost. `warning`: it may come to that, or
    could not be looked at."""
    said: str
    """What was found, in one line."""
    todo: str = ""
    """What to do about it; empty where nothing is to be done."""


class Report(msgspec.Struct, frozen=True):
    """All that was found."""

    problems: int
    warnings: int
    findings: tuple[Finding, ...]


def report_of(findings: Sequence[Finding]) -> Report:
    """Count the findings."""
    levels = [finding.level for finding in findings]
    return Report(levels.count("problem"), levels.count("warning"), tuple(findings))


class Notes:
    """Takes down the findings of one group."""

    def __init__(self, group: Group) -> None:
        self._group: Group = group
        self.findings: list[Finding] = []

    def ok(self, check: str, said: str) -> None:
        """Note that something is as it should be."""
        self._note(check, "ok", said)

    def warning(self, check: str, said: str, todo: str) -> None:
        """Note what may become a problem."""
        self._note(check, "warning", said, todo)

    def problem(self, check: str, said: str, todo: str) -> None:
        """Note what does not work."""
        self._note(check, "problem", said, todo)

    def _note(self, check: str, level: Level, said: str, todo: str = "") -> None:
        line, hint = (" ".join(text.split()) for text in (said, todo))
        self.findings.append(Finding(self._group, check, level, line, hint))


async def guarded(group: Group, check: Awaitable[Sequence[Finding]]) -> Sequence[Finding]:
    """Return the findings of a group of checks, or that it could not be done; never raises."""
    notes = Notes(group)
    try:
        async with asyncio.timeout(WITHIN_S):
            return await check
    except TimeoutError:
        notes.problem("all", f"not finished within {WITHIN_S:.0f} s", "run callstream doctor again")
    except Exception as error:  # noqa: BLE001 - a failing check must not stop the others
        said = f"not checked: {type(error).__name__}: {error}"
        notes.problem("all", said, "this is a mistake in Callstream: please report it")
    return notes.findings
