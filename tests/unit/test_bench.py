"""The arithmetic of the measurements: what a percentile is, and when a figure is out of bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.bench.coalescing import Burst
from tests.bench.latency import Latency, Part
from tests.bench.machine import Machine
from tests.bench.report import Report
from tests.bench.scale import BACKLOG, CROWD, IMPORT
from tests.bench.sheet import Row, percentile

PARTS = {name: Part(median, 10.0, 200.0) for name, median in (("p50", 60.0), ("p99", 150.0))}
BURST = Burst(
    spread_ms=50,
    calls=1_000,
    notifications=21_000,
    logged_within_ms=1_990,
    told_within_ms=2_040,
    published_within_ms=2_300,
    requests=1_700,
    object_reads=15,
    association_reads=60,
    events=1_000,
)
MEMORY: Row = {"portals": 1, "calls each": 10_000, "bytes per call": 42.9, "met": "yes"}
FAIR: Row = {"changes": 200, "arrived": 200, "p99 ratio": 2.0, "429s": 0}
ALONE: Row = {"others": "none", "seconds": 240.0, "per 10 s": 94.1, "our 429s": 0, "their 429s": 0}
BESIDE: Row = {**ALONE, "others": "a third", "per 10 s": 60.0, "our 429s": 1, "their 429s": 3}
REPORT = Report(
    at="",
    command="",
    machine=Machine("", 2, "", "", "", {}),
    settings={},
    latency=Latency(5, 40, PARTS, PARTS, PARTS, 150.0, []),
    bursts=[BURST],
    memory=[MEMORY],
    scale={IMPORT: [FAIR], BACKLOG: [ALONE, BESIDE], CROWD: [{"accounts": 10_000}]},
)


@given(st.lists(st.floats(0, 1_000), min_size=1), st.floats(0.01, 1.0))
def test_percentile_is_the_least_value_that_covers_its_share(
    values: list[float], share: float
) -> None:
    """At least the share of the values lie at or below it, and fewer below any smaller one."""
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_bounds_are_inclusive() -> None:
    """A figure at its bound is within it, whatever the runs' spread."""
    assert REPORT.within_bounds


def test_each_figure_out_of_bounds_is_seen() -> None:
    """Both percentiles, the reads of a burst, and the memory of a call each have a bound."""
    slow = {**PARTS, "p50": Part(60.1, 10.0, 200.0)}
    slowest = {**PARTS, "p99": Part(150.1, 10.0, 200.0)}
    assert not replace(REPORT, latency=replace(REPORT.latency, total=slow)).within_bounds
    assert not replace(REPORT, latency=replace(REPORT.latency, total=slowest)).within_bounds
    assert not replace(REPORT, bursts=[BURST, replace(BURST, object_reads=16)]).within_bounds
    assert not replace(REPORT, memory=[MEMORY, {**MEMORY, "met": "no"}]).within_bounds


@pytest.mark.parametrize(
    ("title", "row"),
    [
        (IMPORT, {**FAIR, "p99 ratio": 2.01}),
        (IMPORT, {**FAIR, "429s": 1}),
        (IMPORT, {**FAIR, "arrived": 199}),
        (BACKLOG, {**ALONE, "per 10 s": 94.0}),
        (BACKLOG, {**ALONE, "our 429s": 1}),
        (BACKLOG, {**BESIDE, "their 429s": 4}),
    ],
)
def test_each_long_measurement_out_of_bounds_is_seen(title: str, row: Row) -> None:
    """Fairness, the pace of a backlog and the 429s that it costs each have a bound."""
    assert not replace(REPORT, scale={**REPORT.scale, title: [row]}).within_bounds


def test_one_slow_run_is_not_unfair() -> None:
    """Of several runs beside an import the median counts."""
    runs: list[Row] = [FAIR, FAIR, {**FAIR, "p99 ratio": 3.0}]
    assert replace(REPORT, scale={**REPORT.scale, IMPORT: runs}).within_bounds


def test_burst_that_was_told_late_did_not_keep_pace() -> None:
    """Two seconds, the spread and a quarter of a second are the time to tell a burst in."""
    assert BURST.kept_pace
    assert not replace(BURST, told_within_ms=2_301).kept_pace
