"""A burst of notifications is few reads; `make bench` measures it, this only bounds it."""

import pytest

from tests.bench import coalescing

pytestmark = pytest.mark.one_redis

READS_PER_S = 8
"""What a burst may cost more for each second that a slow machine takes longer over it."""


@pytest.mark.parametrize("spread_ms", coalescing.BOUNDS)
async def test_burst_is_few_reads(spread_ms: int) -> None:
    """A thousand new calls of 21 notifications each are a thousand events by a few batch reads.

    Reads follow the clock as well as the calls, so what is allowed is half as much again as on an
    idle machine, and more on one that cannot keep the pace.
    """
    burst = await coalescing.measure(spread_ms)
    overtime_s = max(0.0, burst.published_within_ms / 1_000 - coalescing.WITHIN_S)
    assert burst.notifications == 21_000
    assert burst.events == 1_000
    assert burst.object_reads <= 1.5 * coalescing.BOUNDS[spread_ms] + READS_PER_S * overtime_s
