"""HubSpot apps: who may ask, who is told, and where each is installed."""

from collections.abc import Callable

from tests.simulator.model.subscriptions import Subscription

InstallListener = Callable[["App", int, bool], None]

MOST_SUBSCRIPTIONS = 1_000
UNSUBSCRIBABLE = frozenset({"hs_lastmodifieddate", "num_unique_conversion_events"})


class App:
    """One app, and the accounts that have installed it."""

    def __init__(self, app_id: int, client_id: str, client_secret: str) -> None:
        self.id = app_id
        self.client_id = client_id
        self.client_secret = client_secret
        self.target_url = ""
        """Where notifications go; empty = nowhere."""
        self.settings_at: tuple[int, int] = (0, 0)
        """When the webhook settings were made and last changed, in epoch ms."""
        self.subscriptions: dict[int, Subscription] = {}
        self.installed: set[int] = set()
        self.changed: list[Callable[[], None]] = []
        """Called after the subscriptions changed."""
        self.moved: list[InstallListener] = []
        """Called after an account installed (True) or uninstalled the app."""

    def __repr__(self) -> str:
        """Hide the secret."""
        return f"App({self.id})"

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, or put it in the place of the one of that id."""
        self.subscriptions[subscription.id] = subscription
        self._tell()

    def unsubscribe(self, subscription_id: int) -> bool:
        """Remove a subscription; False if there is none of that id."""
        found = self.subscriptions.pop(subscription_id, None)
        self._tell()
        return found is not None

    def _tell(self) -> None:
        for listener in self.changed:
            listener()

    def install(self, portal_id: int) -> None:
        """Let an account install the app."""
        if portal_id not in self.installed:
            self.installed.add(portal_id)
            for listener in self.moved:
                listener(self, portal_id, True)  # noqa: FBT003 - as its type says

    def uninstall(self, portal_id: int) -> None:
        """Let an account uninstall the app."""
        if portal_id in self.installed:
            self.installed.remove(portal_id)
            for listener in self.moved:
                listener(self, portal_id, False)  # noqa: FBT003 - as above
