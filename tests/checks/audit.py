"""Known vulnerabilities of the locked dependencies, by pip-audit and its database.

The database is on the network: out of reach, that is said, and nothing is held against anybody.
What is known and does not concern us is named in `TOLERATED`, with the reason.
"""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from tests.checks import ROOT, report

LOCK: Final = "requirements/runtime.txt"
"""What an image holds."""
WITHIN_S: Final = 20.0
TOLERATED: Final[Mapping[str, str]] = {}
"""Advisory -> why it does not concern us; asked for again with every change of the lock."""


class Advisory(msgspec.Struct, frozen=True):
    """A known vulnerability."""

    id: str
    fix_versions: list[str] = []
    aliases: list[str] = []


class Dependency(msgspec.Struct, frozen=True):
    """What the database says of a package."""

    name: str
    version: str = ""
    skip_reason: str | None = None
    """Why it says nothing."""
    vulns: list[Advisory] = []


class Audit(msgspec.Struct, frozen=True):
    """What pip-audit writes."""

    dependencies: list[Dependency]


class UnreachableError(Exception):
    """The database gave no answer; the message says how."""


def ask(lock: str = LOCK, within_s: float = WITHIN_S) -> Audit:
    """Return what the database says of a lock file.

    Raises:
        UnreachableError: it gave no answer, or not in time.
    """
    options = ("--disable-pip", "--format=json", "--progress-spinner=off")
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, *options]
    try:
        asked = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=within_s
        )
    except subprocess.TimeoutExpired as error:
        msg = f"no answer within {within_s:.0f} s"
        raise UnreachableError(msg) from error
    try:
        audit = msgspec.json.decode(asked.stdout, type=Audit)
    except msgspec.DecodeError as error:
        told = asked.stderr.strip().splitlines() or ["no answer"]
        raise UnreachableError(told[-1][:200]) from error
    if not any(one.skip_reason is None for one in audit.dependencies):
        msg = "it knows none of the packages"
        raise UnreachableError(msg)
    return audit


def problems(audit: Audit) -> list[str]:
    """Return the vulnerabilities that are not tolerated, each with what mends it."""
    return [
        f"{one.name} {one.version}: {advisory.id}, mended in "
        f"{', '.join(advisory.fix_versions) or 'no version yet'}"
        for one in audit.dependencies
        for advisory in one.vulns
        if not {advisory.id, *advisory.aliases} & TOLERATED.keys()
    ]


def unknown(audit: Audit) -> list[str]:
    """Return the packages of which the database says nothing."""
    return [one.name for one in audit.dependencies if one.skip_reason is not None]


def main() -> None:
    """Audit, and end the process: 1 if there is a vulnerability, else 0."""
    try:
        audit = ask()
    except UnreachableError as error:
        sys.stderr.write(f"audit: NOT AUDITED, the database is out of reach: {error}\n")
        sys.exit(0)
    for name in unknown(audit):
        sys.stderr.write(f"audit: {name} is not in the database\n")
    report("audit", problems(audit))


if __name__ == "__main__":
    main()
