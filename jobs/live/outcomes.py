"""What a claim's work says about its portal: well, waits, or sleeps with backoff. Pure."""

import random
from typing import Final

from jobs.hubspot.errors import PortalFailure
from jobs.ledger.messages import Outcome
from jobs.live.verdicts import doubling
from jobs.timing import Timing

_WAITS: Final = frozenset({"budget", "rate_limited"})
"""Failures that are nobody's fault: the portal sleeps, and no failure is counted."""


def portal_outcome(failure: PortalFailure | None, failures: int, timing: Timing) -> Outcome:
    """Return what a round says about its portal: it is well, waits, or sleeps with backoff.

    Args:
        failure: what ended the round; None = nothing did.
        failures: how often in a row the portal failed before.
        timing: the bounds of the backoff; its jitter is up to a fifth.
    """
    if failure is None:
        return Outcome("well")
    told_ms = failure.retry_after_ms or 0
    if failure.kind in _WAITS:
        return Outcome("waits", told_ms or timing.budget_window_ms, failure.kind)
    return sleeping(failure.kind, failures, timing, told_ms=told_ms)


def sleeping(why: str, failures: int, timing: Timing, *, told_ms: int = 0) -> Outcome:
    """Return that the portal failed and sleeps: by backoff, but at least as long as it was told."""
    backoff_ms = doubling(
        failures + 1, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms
    )
    jittered_ms = round(backoff_ms * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret
    return Outcome("failed", max(told_ms, jittered_ms), why)
