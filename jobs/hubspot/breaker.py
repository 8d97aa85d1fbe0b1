"""The breaker: an outage of HubSpot's API as a whole is probed once for all accounts.

An account whose requests fail sleeps with backoff (`jobs.ledger.ledger`). When `TRIPS_AT` accounts
have failed and no answer came in between, whoever they belong to, the breaker opens for all
processes: nothing is asked of HubSpot but a probe now and then, which is the next request that an
account wants anyway. The first answer closes it, and accounts that sleep for its sake wake up
within `Timing.ring_horizon_ms`. Failures are answers of 5xx, timeouts and broken connections, to
the refresh of a token as well; an account's own 401, 403 or 429 is an answer. With fewer accounts
their backoff alone makes few enough probes.

The budget's scripts open, probe and close it; the ledger's scripts look whether it is open.

Keys, after the namespace:

- `breaker`: hash, absent while closed: `since`, `probe_at` in epoch ms, `wait` in ms
- `breaker:failing`: sorted set, portals that failed since the last answer -> when
- `breaker:waking`: those of them that the sweep has yet to wake up since the breaker closed
"""

from typing import Final

import msgspec

TRIPS_AT: Final = 10
"""Accounts. Where one request in twenty fails, so many fail in a row once in 10^13 times."""


class BreakerKeys(msgspec.Struct, frozen=True):
    """The names of the breaker's keys."""

    breaker: str
    failing: str
    waking: str


def breaker_keys(namespace: str) -> BreakerKeys:
    """Return the keys of a deployment."""
    key = f"{namespace}:breaker" if namespace else "breaker"
    return BreakerKeys(key, f"{key}:failing", f"{key}:waking")
