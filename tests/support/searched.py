"""Searches everything that the test suite wrote for what must not be written.

That is the logs of all programs that tests started, and what every test printed or logged itself.
The stand-in gives tokens away in its own first line: its log is left out.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

NAME: Final = "search-for-secrets"
SECRETS: Final = re.compile(
    rb"na1-(?:access|refresh|code)-[0-9a-f]{40}"  # what the stand-in issues
    rb"|pat-na1-[0-9a-f]{8}-[0-9a-f-]{27}"
    rb"|(?:fleet|simulated)-client-secret|simulated-journal-secret"
    rb"|planted-(?:body|admin|token)[a-z-]*"
    rb"|\+15550001234567|\+1 415 555 \d{4}|\+44 20 7946 0\d+|\+49 30 901820\d+|\+81 3-5555-\d+"
)
"""Tokens, secrets, call bodies and telephone numbers that tests and the stand-in deal with."""
STAND_IN: Final = "simulator.log"


def secrets_in(text: bytes) -> set[str]:
    """Return the beginnings of what is found, enough to tell what it is."""
    return {match[:12].decode() for match in SECRETS.findall(text)}


def logs_under(folder: Path) -> Iterator[Path]:
    """Yield the logs of programs, by test; browsers keep files of their own deeper down."""
    for log in sorted(folder.glob("*/*.log")):
        if log.name != STAND_IN:
            yield log


class Search:
    """A plugin that looks at what each test wrote, and at the end at the logs."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        """Where the tests' folders are."""
        self.found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at what a test printed and logged, from its beginning to its end."""
        if report.when == "teardown":
            written = f"{report.capstdout}{report.capstderr}{report.caplog}"
            self._note(report.nodeid, written.encode(errors="replace"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look at the logs, and fail the session if there is anything."""
        for log in logs_under(self.folder) if self.folder else ():
            self._note(str(log), log.read_bytes())
        if self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what was found."""
        for line in self.found:
            terminalreporter.write_line(f"SECRET WRITTEN: {line}", red=True)

    def _note(self, where: str, text: bytes) -> None:
        self.found += [f"{secret}… in {where}" for secret in sorted(secrets_in(text))]
