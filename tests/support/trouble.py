"""The trouble that whole-system tests run in: disorder, repetitions, failing requests."""

from typing import Final

from tests.simulator.switchboard import Fault
from tests.support.fleet import Fleet
from tests.support.program import Program

DISORDER: Final = {
    "duplicate_share": 0.1,
    "late_share": 0.2,
    "spread_ms": 50,
    "retry_span_ms": 8_000,
}
"""Knobs: repeated, late and scattered notifications; a day of retries within 8 s."""

SCALED: Final = {"TIMING_SCALE": "0.06"}
"""Settings: two minutes of patience are 7.2 s, a lease of 10 s is 600 ms."""

FAILING: Final = (
    Fault(effect="status", status=503, share=0.02),
    Fault(effect="status", status=429, share=0.01, retry_after="1"),
    Fault(effect="cut", share=0.02),
)
"""5 % of HubSpot's answers."""

MOST_LINES: Final = 300
"""A process that logs more than this in one test logs by the call, not by the event."""


async def fail_requests(fleet: Fleet) -> None:
    """Let 5 % of the requests to HubSpot fail from now on."""
    for fault in FAILING:
        await fleet.hubspot.fault(fault)


def assert_sound_logs(programs: list[Program]) -> None:
    """Fail if a process printed a traceback, logged an error, or logs without end."""
    for program in programs:
        lines = program.text().splitlines()
        wrong = [line for line in lines if "Traceback" in line or '"level":"error"' in line]
        assert not wrong, f"{program.name}: {len(wrong)} errors, such as {wrong[0][:2_000]}"
        assert len(lines) <= MOST_LINES, f"{program.name} printed {len(lines)} lines"
