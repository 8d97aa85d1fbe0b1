"""A short subset of the fault campaign: the faults that are quick to deliver and to mend."""

from typing import Final

import pytest

from tests.chaos.campaign import chosen
from tests.chaos.conduct import conduct
from tests.chaos.report import details

pytestmark = [pytest.mark.one_redis, pytest.mark.timeout(180)]

SHORT: Final = ("worker-sigkill", "redis-sigkill", "redis-truncated", "net-reset")


@pytest.mark.parametrize("name", SHORT)
async def test_window_is_as_promised(name: str) -> None:
    """After the fault nothing is lost, repeated or reordered, and nobody had to lend a hand."""
    (window,) = chosen([name])
    result = await conduct(window, seed=1)
    assert result.passed, "\n".join([result.why, *details(result)])
