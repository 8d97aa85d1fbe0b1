"""All accounts, and the tokens that open them."""

import msgspec

from tests.simulator.clock import Clock
from tests.simulator.model.account import Account, Habits
from tests.simulator.seeds import draw_uuid, stream

PRIVATE_APP = 1


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a bearer token stands for."""

    portal_id: int | None
    """None for an app-level token of client credentials."""
    app_id: int = PRIVATE_APP
    kind: str = "private"
    """`private`, `oauth` or `client_credentials`."""
    user_id: int = 0
    scopes: tuple[str, ...] = ()
    expires_at: int | None = None


class World:
    """Every account by portal id, every token."""

    def __init__(self, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.habits = Habits()
        self.accounts: dict[int, Account] = {}
        self.grants: dict[str, Grant] = {}

    def open_account(self, portal_id: int) -> Account:
        """Return the account, made anew with a private app's token if there is none yet."""
        account = self.accounts.get(portal_id)
        if account is None:
            account = self.accounts[portal_id] = Account(
                portal_id, self.seed, self.clock, self.habits
            )
            self.grants[self.private_token(portal_id)] = Grant(portal_id=portal_id)
        return account

    def private_token(self, portal_id: int) -> str:
        """Return the token of the account's private app: the same for the same seed."""
        return f"pat-na1-{draw_uuid(stream(self.seed, portal_id, 'private token'))}"
