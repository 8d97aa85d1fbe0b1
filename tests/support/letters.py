"""Dead letters for tests: written as the ledger writes them."""

from collections.abc import Sequence

from redis.asyncio import Redis

from jobs.deadletters.box import Box
from jobs.deadletters.letters import Letter, Selection
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.ledger import Ledger
from jobs.timing import Timing

SECRET = "said on a call: +49 170 1234567"
QUICK = Timing(quiet_ms=0, pace_ms=0)


def box_of(redis: Redis, namespace: str) -> Box:
    """Return all dead letters of the namespace."""
    return Box(redis, namespace, Ledger(redis, namespace, QUICK))


def letter(
    call_id: str | None, *, reason: str = "refused", portal_id: int | None = 1
) -> DeadLetter:
    """Return a letter about a call, with a secret in its bytes."""
    return DeadLetter(
        reason=reason,
        error="HubSpot refuses it",
        raw=SECRET.encode(),
        portal_id=portal_id,
        call_id=call_id,
        attempts=3,
        first_error="something else",
        first_at=1_764_000_000_000,
    )


async def bury(redis: Redis, namespace: str, *letters: DeadLetter) -> None:
    """Set the letters aside."""
    await Ledger(redis, namespace, QUICK).mark([], letters)


async def all_of(box: Box, selection: Selection | None = None) -> Sequence[Letter]:
    """Return the letters that are meant, the newest first."""
    return [one async for one in box.all(selection or Selection())]
