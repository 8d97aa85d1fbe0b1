"""`callstream status` on a terminal of 80 columns."""

import io

import msgspec
import pytest
from rich.console import Console

from jobs.accounts.listing import Account
from jobs.backfill.report import Report
from jobs.journal.place import Reading
from jobs.reconciliation.missed import Miss, MissedFigures
from jobs.reconciliation.operate import Glance, Reconciled
from jobs.reconciliation.runs import Run
from service.cli.overview import lasting, overview
from service.figures import AccountFigures, Figures, Totals
from service.streams import Group, StreamFigures
from service.worst import Standing, severity, worst_first

NOW = 1_795_000_000_000
LONG = 140_123_456_789


def account(portal_id: int, **more: object) -> Account:
    """Return an account."""
    return msgspec.convert({"portal_id": portal_id, "state": "connected", **more}, Account)


def miss(number: int) -> Miss:
    """Return a missed call, each of another age."""
    return Miss(
        call_id=f"{912_345_678_000 + number}",
        found="listing",
        found_at=NOW - number * 90_000,
        age_ms=number * 70_000 or None,
        at_most=number % 2 == 1,
    )


def reconciled(portal_id: int) -> Reconciled:
    """Return where an account stands that missed more than are listed."""
    why = "the wanted properties change, and what was read before does not count"
    return Reconciled(
        portal_id=portal_id,
        watermark=NOW - 70_000,
        searched_at=NOW,
        round_at=NOW - 3 * 86_400_000,
        run=Run(id="r", portal_id=1, kind="full", since=1, step="live", state="waiting", why=why),
        last=None,
        missed=MissedFigures(
            count=123_456,
            last_at=NOW - 4_000,
            oldest_age_ms=7_200_000,
            latest=tuple(map(miss, range(100))),
        ),
    )


def backfill() -> Report:
    """Return a long run with long words."""
    numbers = dict.fromkeys(Report.__struct_fields__, 0)
    told = {"reads": "archived", "state": "waiting", "saw_end": False, "why": "budget"}
    size = {"total": 20_000_000, "seen": 12_340_000, "published": 9_990_000, "rate": 2_345.6}
    rest = {"id": f"{LONG}-archived-12", "error": "", "cursor": "", "seconds_left": 4_000.0}
    return msgspec.convert({**numbers, **told, **size, **rest}, Report)


def journal() -> Reading:
    """Return a journal with a gap."""
    return Reading(
        client_id="app",
        reader="worker-7f6d9c9b8-x2x4q-1-0a1b2c3d",
        offset="93e316d1-5608-4f48-8338-89f3c5133848",
        moved_at=NOW,
        read_to=NOW - 9_000,
        caught_up_at=NOW - 1_200,
        lag_ms=1_200,
        files=123_456,
        gaps=1,
        gap_at=NOW - 2 * 86_400_000,
        subscriptions=30_000,
    )


def crowded() -> Figures:
    """Return figures in which everything is there, and long."""
    asleep = account(LONG, state="asleep", why="unauthorised", due=12_345, leased=100)
    return Figures(
        at=NOW,
        accounts=(
            AccountFigures(account=asleep, reconciled=reconciled(LONG), backfills=(backfill(),)),
            AccountFigures(
                account=account(7, state="unknown", why=f"no token; there is one for {LONG}"),
                reconciled=None,
            ),
        ),
        others=9_998,
        totals=Totals(connected=9_998, asleep=1, unknown=1, due=12_345, leased=100, missed=5),
        journal=journal(),
        streams=(
            StreamFigures(
                "tenant-1:calls:{0}",
                123_456_789,
                "1795000000000-123",
                (Group("crm-sync", 3, 12, 4_567), Group("a" * 60, 1, 0, None)),
            ),
        ),
        dead_letters=3,
        queued={"live": 12, "collections": 3},
        workers=4,
        nearly_full=("streams",),
    )


def printed(figures: Figures, *, in_full: bool = False) -> str:
    """Return what a terminal of 80 columns shows."""
    out = io.StringIO()
    Console(file=out, width=80).print(overview(figures, in_full=in_full))
    return out.getvalue()


def test_nothing_is_wider_than_the_terminal_or_cut_off() -> None:
    """All of it fits into 80 columns; long words are folded, not cut."""
    text = printed(crowded())
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in (str(LONG), "unauthorised", "93e316d1-5608-4f48-8338-89f3c5133848", "9,998 more"):
        assert word in text
    assert f"{LONG}-archived-12" in text
    assert "a" * 60 in "".join(text.split())
    assert "Redis is nearly full (streams)" in text


def test_missed_calls_come_with_their_age() -> None:
    """The latest ones are listed with the age at which each was found; the rest are counted."""
    text = printed(crowded())
    assert "the latest 10 of 123,456" in text
    lines = [line.split() for line in text.splitlines() if "9123456780" in line]
    assert len(lines) == 10
    assert lines[0][-1] == "unknown"
    assert lines[1][-5:] == ["ago", "at", "most", "1", "min"]
    assert lines[2][-3:] == ["ago", "2", "min"]
    in_full = printed(crowded(), in_full=True)
    assert len([line for line in in_full.splitlines() if "9123456780" in line]) == 100


def test_an_empty_deployment_is_told_shortly() -> None:
    """Where there is nothing no empty tables are shown."""
    lines = printed(Figures(at=NOW, queued={"live": 0, "collections": 0})).splitlines()
    assert len(lines) == 3
    assert lines[-1].startswith("workers 0")


@pytest.mark.parametrize(
    ("ms", "told"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (59_999, "59 s"),
        (60_000, "1 min"),
        (3_599_999, "59 min"),
        (86_399_999, "23 h"),
        (1_000 * 86_400_000, "1,000 d"),
    ],
)
def test_lengths_of_time(ms: int, told: str) -> None:
    """A length of time is told in its largest unit, rounded down."""
    assert lasting(ms) == told


@pytest.mark.parametrize(
    ("standing", "wanted"),
    [
        (Standing(account(1, state="disconnected")), 3),
        (Standing(account(1, state="unknown", due=1)), 3),
        (Standing(account(1, state="unknown")), 0),
        (Standing(account(1, state="asleep", why="server")), 2),
        (Standing(account(1, state="asleep", why="budget")), 0),
        (Standing(account(1), Glance(missed=1)), 1),
        (Standing(account(1), Glance(failed=True)), 1),
        (Standing(account(1), backfill_failed=True), 1),
        (Standing(account(1, why="its token could not be refreshed: x")), 1),
        (Standing(account(1, due=1_000)), 0),
    ],
)
def test_severities(standing: Standing, wanted: int) -> None:
    """Calls that nobody can read are worst, then failing accounts, then what mends itself."""
    assert severity(standing) == wanted


def test_alike_accounts_come_by_what_waits() -> None:
    """Among equally bad accounts those with more waiting calls come first, then by id."""
    alike = [Standing(account(4)), Standing(account(3)), Standing(account(9, due=5))]
    assert [one.account.portal_id for one in worst_first(alike)] == [9, 3, 4]
