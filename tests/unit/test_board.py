"""What `callstream run` shows."""

import msgspec
import pytest
from callstream_client import events
from callstream_client.events import CallEventData, Change
from callstream_client.wire import Delivery
from rich.cells import cell_len
from rich.console import Console

from service.cli.running.board import Board, Part, changes_of, line_of, plain
from service.cli.running.screen import Screen

CHANGED_MS = 1_705_316_400_000
CALL = events.Call(
    id="512",
    title="Discovery Call [draft]",
    body="what was said",
    from_number="+1 555 0100",
    created_at="2024-01-15T11:00:00.000Z",
    updated_at="2024-01-15T11:00:00.000Z",
    archived=False,
)


def event(
    *changes: Change, kind: str = events.UPDATED, call: events.Call | None = CALL
) -> events.CallEvent:
    """Return an event of call 512 whose last change was at `CHANGED_MS`."""
    return events.CallEvent(
        id="62515:512:1",
        source="/callstream/default/hubspot/portals/62515",
        type=kind,
        subject="512",
        time="2024-01-15T11:00:00.000Z",
        partition_key="62515:512",
        sequence="1".zfill(20),
        data=CallEventData(
            portal_id=62515, call_id="512", origin="webhook", changes=changes, call=call
        ),
    )


def delivery(of: events.Event, after_ms: int = 42) -> Delivery:
    """Return an event that landed some ms after the change."""
    return Delivery("calls:{0}", f"{CHANGED_MS + after_ms}-0", of, {})


TITLE = Change("propertyChange", "hs_call_title")
STATUS = Change("propertyChange", "hs_call_status")


def test_the_age_is_from_the_change_to_the_stream() -> None:
    """An event's age is the time of its entry less the time of its latest change."""
    assert line_of(f"{CHANGED_MS + 42}-0", event(TITLE)).age_ms == 42


def test_without_a_change_there_is_no_age() -> None:
    """An event that answers no notification, as of a backfill, has no age."""
    assert line_of(f"{CHANGED_MS + 42}-0", event()).age_ms is None


def test_a_clock_ahead_gives_no_negative_age() -> None:
    """HubSpot's clock may be ahead of Redis'; the age is then 0."""
    assert line_of(f"{CHANGED_MS - 5}-0", event(TITLE)).age_ms == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([TITLE, TITLE, STATUS], "hs_call_title, hs_call_status"),
        ([Change("creation"), TITLE], "hs_call_title"),
        ([Change("creation")], "creation"),
        ([Change("deletion"), Change("merge")], "deletion, merge"),
        ([Change("propertyChange", f"p{n}") for n in range(20)], "p0, p1, p2 +17"),
        ([], ""),
    ],
)
def test_changes_are_told_in_few_words(changes: list[Change], told: str) -> None:
    """Each changed property is named once, at most three of them."""
    assert changes_of(event(*changes)) == told


def test_counts_add_up() -> None:
    """The board counts events by kind, the changes they answer, and the ages' percentiles."""
    board = Board([])
    for age in range(1, 101):
        board.take(delivery(event(TITLE, STATUS), age))
    board.take(delivery(event(kind=events.DELETED, call=None)))
    assert board.published == {"updated": 100, "deleted": 1}
    assert board.answered == 200
    assert board.ages() == (50, 99)
    assert "101 events for 200 changes  (100 updated, 1 deleted)" in board.summary()


def test_what_is_no_call_is_not_counted() -> None:
    """Notices and unknown entries are passed over."""
    board = Board([])
    assert board.take(delivery(events.UnknownEvent(reason="odd", fields={}))) is None
    assert board.published.total() == 0


def test_a_plain_line_holds_nothing_of_the_call() -> None:
    """A line for a log tells which call, when and what changed, not what was said or by whom."""
    line = plain(line_of(f"{CHANGED_MS + 42}-0", event(TITLE)))
    assert line == (
        "2024-01-15T11:00:00.042Z  updated   62515:512  42 ms after the change  hs_call_title"
    )


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (70, 20), (200, 60)])
def test_the_screen_fits_the_terminal(width: int, height: int) -> None:
    """However large the terminal, the screen fills no more than it, and shows the latest event."""
    board = Board([Part("Service", "x" * 60, "http://127.0.0.1:8000", "up")] * 5, hint="y" * 200)
    for number in range(100):
        call = msgspec.structs.replace(CALL, title=f"call {number} " + "long " * 50)
        board.take(delivery(event(TITLE, call=call)))
    board.warning = "a warning " * 50
    console = Console(width=width, height=height)
    with console.capture() as shown:
        console.print(Screen(board))
    lines = shown.get().rstrip("\n").splitlines()
    assert len(lines) <= height
    assert max(map(cell_len, lines)) <= width
    assert any("updated" in line for line in lines)
    assert any("100 events for 100 changes" in line for line in lines)


def test_text_of_a_call_is_no_markup() -> None:
    """Brackets in a title are shown as they are."""
    board = Board([])
    board.take(delivery(event(TITLE)))
    console = Console(width=120, height=40)
    with console.capture() as shown:
        console.print(Screen(board))
    assert "Discovery Call [draft]" in shown.get()
