"""What a simulator is started with."""

import msgspec

from tests.simulator.knobs import Knobs
from tests.simulator.model.subscriptions import SUBSCRIBED


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator is started with."""

    seed: int = 1
    portal_id: int = 62515
    token: str = ""
    """The first account's private token; empty = drawn from the seed."""
    webhook_url: str = ""
    """Where notifications go; empty = nowhere."""
    client_secret: str = "simulated-client-secret"
    """The secret of the webhook app: signs notifications, asks for tokens."""
    journal_secret: str = "simulated-journal-secret"
    """The secret of the journal's app."""
    app_id: int = 14947547
    """The webhook app; the journal's app has the next id."""
    properties: tuple[str, ...] = SUBSCRIBED
    """The subscribed properties."""
    start_ms: int | None = None
    """Where the clock starts, in epoch ms; None = now."""
    frozen: bool = False
    """The clock goes on only when it is moved."""
    knobs: Knobs = Knobs()

    def __repr__(self) -> str:
        """Hide the secrets."""
        return f"Settings(seed={self.seed}, portal_id={self.portal_id})"
