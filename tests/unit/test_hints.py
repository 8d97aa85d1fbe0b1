"""Hints travel through Redis as text and come back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ledger.hints import DECISIVE_KINDS, Bucket, Hint, pack, unpack

hints = st.builds(
    Hint,
    kind=st.sampled_from(
        [*sorted(DECISIVE_KINDS), "propertyChange", "associationChange", "new|\n"]
    ),
    occurred_at=st.integers(0, 2**53),
    property=st.none() | st.text(),
    source=st.none() | st.text(),
    target=st.none() | st.text(),
    removed=st.booleans(),
    origin=st.sampled_from(["webhook", "journal", "reconciliation"]),
    tested_at=st.integers(0, 2**53),
)


@given(st.lists(hints))
def test_hints_survive_the_way_through_redis(given_hints: list[Hint]) -> None:
    """Whatever text a hint holds, packing and unpacking give the same distinct hints."""
    packed = pack(given_hints)
    bucket = unpack("7|" + packed.decisive + packed.changes)
    assert set(bucket.hints) == set(given_hints)
    assert len(bucket.hints) == len(set(given_hints))
    assert bucket.dropped_until == 7


@given(st.lists(hints))
def test_decisive_hints_are_kept_apart(given_hints: list[Hint]) -> None:
    """What decides a verdict is packed apart from mere changes."""
    packed = pack(given_hints)
    changes = [hint for hint in given_hints if hint.kind not in DECISIVE_KINDS]
    assert {hint.kind for hint in unpack("0|" + packed.decisive).hints} <= DECISIVE_KINDS
    assert set(unpack("0|" + packed.changes).hints) == set(changes)


def test_empty_bucket_has_no_hints() -> None:
    """A call that was marked without a word has an empty bucket."""
    assert unpack("") == Bucket()


@pytest.mark.parametrize("text", ["x", "|", "1|{", "1|[]\n"])
def test_garbage_is_told(text: str) -> None:
    """Text that is no bucket raises instead of losing hints in silence."""
    with pytest.raises(ValueError, match=r".+"):
        unpack(text)
