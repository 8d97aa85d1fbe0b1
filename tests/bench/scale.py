"""What many accounts, an import and a backlog cost: the long measurements, for half an hour.

Each can be had alone: `python -m tests.bench.fairness`, `.backlog`, `.crowd`.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.bench import backlog, crowd, fairness
from tests.bench.sheet import Row

FAIRNESS: Final = 2.0
"""So many times its idle p99 a change's p99 may be while another account imports."""
DRAINED: Final = 0.95
"""Of the requests that are ours, what a backlog must be drained with."""
REFUSED_PER_MINUTE: Final = 1.0
"""429s that may come of another process with the same token; without one, none may."""
RUNS: Final = 5
CALLS: Final = 50_000
ACCOUNTS: Final = 10_000

Scale = Mapping[str, Sequence[Row]]
"""The figures of each measurement, by its title."""

IMPORT: Final = "A change in one account while another imports"
BACKLOG: Final = "A backlog within a limit of 110 requests in 10 s"
CROWD: Final = "One change in each of many accounts"
KEYS: Final = "Redis memory of one of those accounts at rest, by kind of key"


async def measure(say: Callable[[str], None]) -> Scale:
    """Measure all three, and say what is being measured."""
    say("what an import costs the other accounts ...")
    load = fairness.Import(backlog=100_000, rate=50.0, limit=backlog.LIMIT)
    imports = [
        await fairness.measure(load, calls=200, workers=1, seed=seed) for seed in range(1, RUNS + 1)
    ]
    say("how fast a backlog is drained ...")
    drained = [await backlog.measure(case, CALLS) for case in backlog.CASES]
    say("what many accounts cost ...")
    many, kinds = await crowd.measure(accounts=ACCOUNTS, workers=1, services=1)
    return {IMPORT: imports, BACKLOG: drained, CROWD: [many], KEYS: kinds}


def within_bounds(scale: Scale) -> bool:
    """Tell whether every figure that has a bound is within it; what was not measured is."""
    imports = scale.get(IMPORT, ())
    ratios = [_number(row, "p99 ratio") for row in imports]
    return (
        (not ratios or statistics.median(ratios) <= FAIRNESS)
        and all(row["arrived"] == row["changes"] and row["429s"] == 0 for row in imports)
        and all(map(_is_drained, scale.get(BACKLOG, ())))
    )


def _is_drained(row: Row) -> bool:
    refused = _number(row, "our 429s") + _number(row, "their 429s")
    if row["others"] != "none":
        return 60 * refused / _number(row, "seconds") <= REFUSED_PER_MINUTE
    return refused == 0 and _number(row, "per 10 s") >= DRAINED * backlog.OURS


def _number(row: Row, name: str) -> float:
    value = row[name]
    assert isinstance(value, int | float)
    return value
