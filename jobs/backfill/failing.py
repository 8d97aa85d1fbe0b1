"""What becomes of a run whose next page cannot be had."""

import random
from typing import Final

import structlog

from jobs.backfill.hold import Hold, Rest
from jobs.backfill.record import Change, Run, Value
from jobs.hubspot.errors import HubSpotError, PortalFailure
from jobs.ledger.deadletters import DeadLetter
from jobs.live.verdicts import doubling
from jobs.timing import Timing

PAGE_ATTEMPTS: Final = 5
"""A page that HubSpot refuses, or gives unreadable, so often in a row fails its run."""

_WAITS: Final = frozenset({"budget", "rate_limited"})
"""Failures that are nobody's fault."""

_log = structlog.get_logger(__name__)


async def after_failure(hold: Hold, failure: PortalFailure, timing: Timing) -> Rest | None:
    """Return how long the run waits for an account that cannot be read now; None if it failed."""
    told_ms = failure.retry_after_ms or 0
    if failure.kind in _WAITS:
        return Rest(told_ms or timing.budget_window_ms, failure.kind)
    if failure.kind == "undecodable":
        return await after_bad_page(hold, "undecodable-page", failure, failure.raw, timing)
    backoff_ms = doubling(
        hold.run.attempts + 1, timing.portal_backoff_first_ms, timing.portal_backoff_last_ms
    )
    jittered_ms = round(backoff_ms * random.uniform(0.8, 1.0))  # noqa: S311 - spreads, not secret
    return Rest(max(told_ms, jittered_ms), failure.kind, str(failure))


async def after_bad_page(
    hold: Hold, reason: str, error: HubSpotError, raw: bytes, timing: Timing
) -> Rest | None:
    """Let the page be read again after a while; the last time set it aside and fail the run.

    A listing cannot be gone on with behind a page that it does not give. The run keeps its cursor,
    so that it can be resumed there.

    Raises:
        LostError: the run is no longer held.
    """
    run, attempts = hold.run, hold.run.attempts + 1
    if attempts < PAGE_ATTEMPTS:
        wait_ms = doubling(attempts, timing.record_retry_ms, timing.portal_backoff_last_ms)
        return Rest(wait_ms, reason, str(error))
    letter = DeadLetter(
        reason=reason,
        error=f"{error}; page {run.pages + 1} of backfill {run.id}, after {run.cursor!r}",
        raw=raw or run.cursor.encode(),
        origin="backfill",
        portal_id=run.portal_id,
        attempts=attempts,
    )
    failed: dict[str, Value] = {
        "state": "failed",
        "why": reason,
        "error": str(error),
        "attempts": attempts,
        "ended_at": hold.now,
    }
    await hold.end(Change(set=failed), [letter])
    _log.error("backfill failed", **told(run), reason=reason, error=str(error))
    return None


def told(run: Run) -> dict[str, str | int]:
    """Return what a log says of a run."""
    return {
        "run": run.id,
        "pages": run.pages,
        "calls": run.seen,
        "published": run.published,
        "unchanged": run.unchanged,
        "marked": run.marked,
        "set_aside": run.set_aside,
    }
