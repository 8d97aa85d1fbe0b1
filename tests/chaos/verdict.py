"""The verdict on a window: whether it says anything, and what it says."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from tests.chaos.canary import Loss
from tests.chaos.window import Promise, Proof, Window
from tests.support.evidence import Evidence
from tests.support.invariants import violations

SHOWN: Final = 5
"""Findings of each kind that a result names."""
LEAST_LOAD: Final = 0.6
"""The least share of the changes that were to happen."""
BUSIEST: Final = 0.9
"""The share of a core above which the generator counts as saturated."""

TRUTH: Final = "last_events_are_true"
MERGED_AWAY: Final = "says gone, HubSpot has merged into"
LOST: Final = ("read_after_marks", TRUTH)
REPEATED: Final = "nothing_repeats"
REORDERED: Final = "sequences_increase"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator did."""

    changes: int
    expected: float
    cpu_share: float
    """Of one core, by the stand-in's process."""
    deliveries: int = 0
    """Requests with notifications, repeated ones too."""
    failed: int = 0
    """Those that were not answered 2xx."""
    given_up: int = 0
    """Notifications whose last retry failed."""

    def doubt(self) -> str | None:
        """Return why this was no steady load, None if it was."""
        if self.changes < LEAST_LOAD * self.expected:
            return f"generator saturated: {self.changes} of {self.expected:.0f} changes"
        if self.cpu_share > BUSIEST:
            return f"generator saturated: {self.cpu_share:.0%} of a core"
        if self.given_up:
            return f"{self.given_up} notifications were given up: longer than HubSpot's patience"
        return None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What broke after quiet, and some calls of each kind."""

    lost: int = 0
    """Calls whose last event is not HubSpot's truth, or that were not read after their mark."""
    repeated: int = 0
    reordered: int = 0
    other: int = 0
    """The ledger not empty, the budget not kept, entries that are no events."""
    named: Mapping[str, Sequence[str]] = {}

    @property
    def none(self) -> bool:
        """Whether nothing broke."""
        return not (self.lost or self.repeated or self.reordered or self.other)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one window showed."""

    window: str
    fault: str
    seed: int
    scale: float
    status: Literal["VALID", "DISCARDED"]
    why: str
    """Why it was discarded, or what was not as promised; empty if all was."""
    delivered: Proof
    promise: Promise
    losses: Mapping[str, Sequence[Loss]]
    """What the canaries found gone, by Redis."""
    silent_s: float
    """The longest time without an acknowledged write to Redis."""
    before_round: Findings
    """What broke after quiet, nobody having done anything."""
    after_round: Findings | None
    """The same after one reconciliation, where that was needed."""
    round_by: str = ""
    """`itself`: the deployment had noticed its loss; `asked`: somebody had to ask for the round."""
    manual: Sequence[str]
    first_event_s: float | None
    """From the end of the fault to the next event, None if none came."""
    whole_s: float | None
    """From the end of the fault until the last call that changed before was true; None: never."""
    load: Load
    histories: Sequence[str] = ()
    """What happened to some of the calls that were lost in the end."""
    events: int
    log_errors: int
    """Lines of our processes that are errors or tracebacks."""
    log_lines: int
    """The most lines that a process printed."""
    took_s: float
    attempts: int = 1
    """How often it was conducted: a discarded window is conducted twice."""

    @property
    def kept(self) -> bool:
        """Whether the canaries say that Redis kept its data."""
        return not any(self.losses.values())

    @property
    def passed(self) -> bool:
        """Whether it is valid and all was as promised."""
        return self.status == "VALID" and not self.why


def undone(window: Window, seed: int, why: str) -> Result:
    """Return the result of a window that could not be conducted."""
    return Result(
        window=window.name,
        fault=window.fault,
        seed=seed,
        scale=window.scale,
        status="DISCARDED",
        why=why,
        delivered=Proof(count=0, what="nothing"),
        promise="exact",
        losses={},
        silent_s=0.0,
        before_round=Findings(),
        after_round=None,
        manual=(),
        first_event_s=None,
        whole_s=None,
        load=Load(changes=0, expected=0, cpu_share=0),
        events=0,
        log_errors=0,
        log_lines=0,
        took_s=0.0,
    )


def findings(
    evidence: Evidence, backwards: Sequence[str], more: Sequence[str], *, forgot: bool = False
) -> Findings:
    """Return what broke.

    Args:
        evidence: what the invariants are judged by.
        backwards: what a consumer read out of order.
        more: what the window itself found broken.
        forgot: Redis lost data, and with it why calls went: HubSpot does not say that a missing
            call was merged.
    """
    broken = violations(evidence) | ({"window": [*more]} if more else {})
    if forgot:
        told = broken.pop(TRUTH, [])
        if kept := [line for line in told if MERGED_AWAY not in line]:
            broken[TRUTH] = kept
    lost = {line.split(":")[0] for name in LOST for line in broken.get(name, ())}
    reordered = [*broken.get(REORDERED, ()), *backwards]
    known = {*LOST, REPEATED, REORDERED}
    named = {name: lines[:SHOWN] for name, lines in broken.items()}
    if backwards:
        named["read_in_order"] = list(backwards[:SHOWN])
    return Findings(
        lost=len(lost),
        repeated=len(broken.get(REPEATED, ())),
        reordered=len(reordered),
        other=sum(len(lines) for name, lines in broken.items() if name not in known),
        named=named,
    )


def complaint(promise: Promise, before: Findings, after: Findings | None, manual: int) -> str:
    """Return what was not as promised, empty if all was."""
    if manual:
        return f"{manual} steps by hand"
    if promise == "exact" and not before.none:
        return "not whole by itself"
    if before.repeated or before.reordered:
        return "repeated or reordered"
    if after is not None and not after.none:
        return "not whole after a round"
    return ""
