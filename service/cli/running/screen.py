"""The screen of `callstream run`: what runs, where, and the events as they land."""

from datetime import datetime
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from service.cli.running.board import Board, Line, State

DOTS: Final[dict[State, tuple[str, str]]] = {
    "": ("", ""),
    "starting": ("○ starting", "yellow"),
    "up": ("● up", "green"),
    "away": ("○ away", "red"),
}
COLORS: Final = {
    "created": "green",
    "updated": "cyan",
    "deleted": "red",
    "restored": "magenta",
    "snapshot": "blue",
}
SLOW_MS: Final = 1_000
"""An age from here on is shown in another color."""
AROUND_EVENTS: Final = 6
"""Lines around the events: the table's head and foot, the warning, the cursor's own."""


class Screen:
    """The board, drawn to fit the terminal."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        head = Panel(
            Group(self._parts(), self._hint(), Text(), self._counts()),
            title="[bold]Callstream[/]  HubSpot calls, as a stream",
            title_align="left",
            subtitle="Ctrl-C stops everything",
            subtitle_align="right",
            box=box.ROUNDED,
            border_style="dim",
        )
        yield head
        taken = len(console.render_lines(head, options.update(height=None)))
        room = (options.height or console.height) - taken - AROUND_EVENTS
        if not self._board.lines:
            yield Text("\n waiting for the first call\n", style="dim")
        elif room > 0:
            yield self._events(room)
        yield Text(f" {self._board.warning}", style="yellow", no_wrap=True, overflow="ellipsis")

    def _hint(self) -> Text:
        return Text(self._board.hint, style="dim", no_wrap=True, overflow="ellipsis")

    def _parts(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for narrow in (False, False, True, False):  # where it is tight the words give way
            table.add_column(no_wrap=not narrow)
        for part in self._board.parts:
            dot, color = DOTS[part.state]
            words = Text(part.what, no_wrap=True, overflow="ellipsis")
            name, where = Text(part.name, style="bold"), Text(part.where)
            table.add_row(name, Text(dot, style=color), words, where)
        return table

    def _counts(self) -> Text:
        board, ages = self._board, self._board.ages()
        text = Text()
        text.append(f"{board.published.total():,}", style="bold green")
        text.append(f" events for {board.answered:,} changes   ")
        text.append(f"{board.rate():.1f}", style="bold")
        text.append(" events/s   ")
        text.append(f"{board.waiting:,}", style="bold")
        text.append(" calls waiting")
        if ages:
            text.append("\nfrom the change in HubSpot to the stream: half within ")
            text.append(f"{ages[0]} ms", style="bold")
            text.append(", 99 % within ")
            text.append(f"{ages[1]} ms", style="bold")
        return text

    def _events(self, room: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), header_style="dim")
        table.add_column("landed", no_wrap=True, width=8)
        table.add_column("age", no_wrap=True, justify="right", width=8)
        table.add_column("event", no_wrap=True, width=8)
        table.add_column("call", no_wrap=True, min_width=12)
        table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=2)
        table.add_column("what changed", no_wrap=True, overflow="ellipsis", ratio=3)
        for line in list(self._board.lines)[-room:]:
            table.add_row(*_cells(line))
        return table


def _cells(line: Line) -> tuple[Text, ...]:
    at = datetime.fromtimestamp(line.at_ms / 1_000).astimezone()
    age = "" if line.age_ms is None else f"{line.age_ms:,} ms"
    slow = line.age_ms is not None and line.age_ms >= SLOW_MS
    return (
        Text(f"{at:%H:%M:%S}", style="dim"),
        Text(age, style="yellow" if slow else ""),
        Text(line.kind, style=COLORS.get(line.kind, "")),
        Text(line.call_id),
        Text(line.title),
        Text(line.changes, style="dim"),
    )
