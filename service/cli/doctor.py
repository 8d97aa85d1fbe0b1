"""`callstream doctor`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import rich_click as click

from service.cli import FAILED

if TYPE_CHECKING:
    from rich.table import Table

    from service.doctor.findings import Report

MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "problem": ("✗", "bold red"),
}
"""How each level looks."""
WIDE: Final = 240
"""Columns where there is no terminal, so that a finding stays on its line."""


@click.command()
@click.option(
    "--portal",
    type=click.IntRange(min=1),
    help="The account to ask about, where several have installed the app.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, portal: int | None, as_json: bool) -> int:
    """Examine settings, Redis, HubSpot's account, clocks, PUBLIC_URL and subscriptions.

    Says of each what is wrong and what to do. A notification about a contact is signed and sent to
    PUBLIC_URL, which makes no event. Ends with 0 if there is no problem, 1 otherwise.
    """
    import asyncio

    import msgspec
    from rich.console import Console

    from jobs.config.settings import environment
    from service.doctor.examination import examine

    report = asyncio.run(examine(environment(), portal))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDE)
        console.print(table(report))
        console.print(summary(report))
    return FAILED if report.problems else 0


def table(report: "Report") -> "Table":
    """Return the findings, grouped; under each that is not well, what to do."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, show_header=False, padding=(0, 1))
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    last = ""
    for finding in report.findings:
        if finding.group != last:
            last = finding.group
            shown.add_row("", Text(last, style="bold"), "")
        mark, style = MARKS[finding.level]
        shown.add_row(Text(mark, style=style), Text(f"  {finding.check}"), Text(finding.said))
        if finding.todo:
            shown.add_row("", "", Text(f"→ {finding.todo}", style=style))
    return shown


def summary(report: "Report") -> str:
    """Return how many are not well, in words."""
    parts = (_count(report.problems, "problem"), _count(report.warnings, "warning"))
    return f"\n{' and '.join(parts)}"


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
