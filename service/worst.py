"""Which accounts want an operator's eye first. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from jobs.accounts.listing import Account
from jobs.reconciliation.operate import Glance

PATIENT: Final = frozenset({"budget", "rate_limited"})
"""Why an account may be asleep without anything being wrong: it asked as often as it may."""


class Standing(msgspec.Struct, frozen=True):
    """How one account does, as far as its order among the others needs it."""

    account: Account
    glance: Glance = Glance()
    backfill_failed: bool = False


def severity(standing: Standing) -> int:
    """Return how badly an account does; 0 = nothing is known to be wrong.

    Calls that wait for a token that nobody has (3) stand before an account that cannot be read now
    (2), and that before what looks after itself or is over (1).
    """
    account = standing.account
    waits = account.due + account.leased > 0
    if account.state == "disconnected" or (account.state == "unknown" and waits):
        return 3
    if account.state == "asleep" and account.why not in PATIENT:
        return 2
    troubled = standing.glance.failed or standing.backfill_failed or standing.glance.missed > 0
    return 1 if troubled or (account.state == "connected" and account.why) else 0


def worst_first(standings: Iterable[Standing]) -> list[Standing]:
    """Return the accounts, the worst first; alike ones by the calls that wait, then by id."""
    return sorted(
        standings,
        key=lambda one: (
            -severity(one),
            -(one.account.due + one.account.leased),
            -one.glance.missed,
            one.account.portal_id,
        ),
    )
