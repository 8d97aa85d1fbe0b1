"""What goes to the ledger and comes back: marks, doorbells, claims and verdicts."""

from typing import Literal

import msgspec

from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint


class Mark(msgspec.Struct, frozen=True):
    """A call that may have changed, and what was said about it."""

    portal_id: int
    call_id: str
    hints: tuple[Hint, ...]


class Bell(msgspec.Struct, frozen=True, array_like=True):
    """A doorbell to ring for a portal."""

    portal_id: int
    bell_id: str
    """Never used twice."""
    delay_ms: int


class ClaimedCall(msgspec.Struct, frozen=True, array_like=True):
    """A call that a claim holds."""

    call_id: str
    memo: str
    """What the last reader left with `Later`; empty at first."""
    hints: str
    """The bucket of hints (see `jobs.ledger.hints`) that came since."""


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """The answer to a claim; without a token nothing was claimed."""

    token: str
    lease_ends_at: int
    """When the lease ends unless it is renewed, in Redis' epoch ms."""
    claimed_at: int
    """Redis' time of the claim, in epoch ms."""
    failures: int
    """How often in a row the portal's API has failed."""
    connected_at: int
    """When the portal was first connected, in Redis' epoch ms."""
    calls: list[ClaimedCall]
    bells: list[Bell]
    """Doorbells to ring now, for what is left."""


class Done(msgspec.Struct, frozen=True):
    """The call's state is on the stream."""

    call_id: str


class Later(msgspec.Struct, frozen=True):
    """The call is due again after `wait_ms`."""

    call_id: str
    wait_ms: int = 0
    memo: str | None = None
    """What the next reader must know, the claimed hints among it; None leaves memo and hints."""


class Dead(msgspec.Struct, frozen=True):
    """The call cannot be processed and is set aside."""

    call_id: str
    letter: DeadLetter


Verdict = Done | Later | Dead


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What a claim's work said about its portal."""

    kind: Literal["", "well", "failed", "waits"] = ""
    """`well`: the API answered; `failed`: it did not, and failures are counted; `waits`: the
    portal sleeps without fault, as for budget; empty: nothing was learned."""
    sleep_ms: int = 0
    why: str = ""
    pace_ms: int | None = None
    """How far apart the portal's claims begin for its budget to last; None leaves it. Those of less
    than a full batch are at least `Timing.pace_ms` apart, full ones may come at 0.8 of the told
    pace."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a portal's calls may be read, and how many wait for that."""

    now: int
    """Redis' epoch ms."""
    open: bool
    connected_at: int
    """When it was first connected, in Redis' epoch ms; 0 = never."""
    asleep_until: int
    """Redis' epoch ms; 0 = awake."""
    why: str
    """Why it sleeps, or was disconnected."""
    waiting: int
    """Calls that are due."""
