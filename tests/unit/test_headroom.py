"""How full a Redis may get is told by two marks, so that it does not flutter between them."""

import pytest

from jobs.headroom import Memory, memory_of


@pytest.mark.parametrize(
    ("used", "before", "tight"),
    [
        (0, False, False),
        (899, False, False),
        (900, False, True),
        (1_200, False, True),
        (899, True, True),
        (850, True, True),
        (849, True, False),
    ],
)
def test_marks(used: int, before: bool, tight: bool) -> None:  # noqa: FBT001 - a test's parameters
    """From 90 % on there is too little room, and there is enough again below 85 %."""
    assert Memory(used, 1_000).is_tight(before=before) is tight


def test_a_redis_that_names_no_limit() -> None:
    """Without `maxmemory` the machine is the limit; without either there is none."""
    assert memory_of({"used_memory": 5, "maxmemory": 7, "total_system_memory": 9}) == Memory(5, 7)
    assert memory_of({"used_memory": 5, "maxmemory": 0, "total_system_memory": 9}) == Memory(5, 9)
    assert not memory_of({"used_memory": 5}).is_tight(before=True)
