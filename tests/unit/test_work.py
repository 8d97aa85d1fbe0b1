"""What a claimed call brings along from earlier reads stays bounded."""

from jobs.ledger.hints import DECISIVE_KINDS, Hint, pack
from jobs.ledger.messages import ClaimedCall
from jobs.live.verdicts import Memo, encode_memo
from jobs.live.work import MOST_CHANGES, Work, open_work

UNSHOWN = [Hint("propertyChange", 1_000 + n, f"property_{n}", tested_at=7) for n in range(300)]
DELETED = Hint("deletion", 1)


def opened(*hints: Hint, fresh: tuple[Hint, ...] = ()) -> Work:
    """Return the work of a call whose last reader left `hints` behind."""
    bucket = "0|" + pack(fresh).decisive + pack(fresh).changes
    return open_work(ClaimedCall("512", encode_memo(Memo(hints)), bucket))


def test_few_hints_are_all_kept() -> None:
    """Below the bound nothing is left out."""
    assert opened(*UNSHOWN[:50], fresh=(DELETED,)).hints == (*UNSHOWN[:50], DELETED)


def test_unshown_changes_do_not_pile_up() -> None:
    """Of too many changes the latest stay, one stands for the others, and decisive kinds stay."""
    work = opened(*UNSHOWN, fresh=(DELETED,))
    changes = [hint for hint in work.hints if hint.kind not in DECISIVE_KINDS]
    assert DELETED in work.hints
    assert len(changes) == MOST_CHANGES
    assert set(UNSHOWN[-MOST_CHANGES + 1 :]) < set(changes)
    assert changes[-1] == Hint("", UNSHOWN[-MOST_CHANGES].occurred_at, tested_at=7)
    assert work.dropped_until == UNSHOWN[-MOST_CHANGES].occurred_at


def test_what_stands_for_others_wins_no_patience() -> None:
    """Opening the same work again changes nothing: first tests stay what they were."""
    work = opened(*UNSHOWN)
    assert set(opened(*work.hints).hints) == set(work.hints)
