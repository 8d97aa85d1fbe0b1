"""Many connected accounts in a deployment, as if each had installed the app long ago."""

import asyncio
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet

from jobs.accounts.register import Issue, Register
from jobs.accounts.tokens import Tokens, seal
from jobs.accounts.vault import Vault
from jobs.config.values import Secret
from jobs.ledger.ledger import Ledger
from jobs.timing import Timing
from tests.simulator.messages import AccountState, Create
from tests.support.fleet import Fleet

_KEY: Final = Fernet.generate_key().decode()
MANY: Final = {
    "HUBSPOT_CLIENT_ID": "crowd-client-id",
    "HUBSPOT_REDIRECT_URL": "http://127.0.0.1:8000/oauth/callback",
    "TOKEN_KEYS": _KEY,
}
"""Settings with which services and workers know installed accounts."""
_A_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 20


async def connect_crowd(running: Fleet, accounts: int) -> list[int]:
    """Open so many accounts at the stand-in and connect them; return their portal ids.

    Their tokens outlive every test, so nothing is asked of HubSpot's token endpoint.
    """
    opened = {state.portal_id: state for state in await running.hubspot.crowd(accounts)}
    opened.pop(running.portal_id, None)
    ledger = Ledger(running.redis, running.plan.namespace, Timing())
    register = Register(running.redis, running.plan.namespace, ledger, Timing())
    vault = Vault([Secret(_KEY)])

    async def connect(state: AccountState) -> None:
        tokens = Tokens(Secret(state.token), Secret("unused"))
        sealed = seal(vault, state.portal_id, tokens)
        issue = Issue(sealed=sealed, life_ms=_A_DAY_MS, age_ms=0)
        await register.install(state.portal_id, issue)

    states = list(opened.values())
    for start in range(0, len(states), _AT_ONCE):
        await asyncio.gather(*map(connect, states[start : start + _AT_ONCE]))
    return [state.portal_id for state in states]


async def log_a_call_each(running: Fleet, portals: Sequence[int]) -> None:
    """Log one call in every account, as fast as the stand-in takes them."""
    deed = Create(properties={"hs_call_title": "one of many"})
    for start in range(0, len(portals), _AT_ONCE):
        part = portals[start : start + _AT_ONCE]
        await asyncio.gather(*(running.hubspot.do(deed, portal_id=one) for one in part))
