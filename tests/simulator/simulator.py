"""The whole simulator: accounts, clock, deliveries, faults, limits and traffic in one object."""

import contextlib
from collections.abc import AsyncGenerator

import msgspec

from tests.simulator.clock import Clock
from tests.simulator.delivery import Delivery, Target
from tests.simulator.knobs import Knobs
from tests.simulator.limits import Limits
from tests.simulator.messages import Notify
from tests.simulator.meters import Counts, Meter
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Change
from tests.simulator.model.reverse import Reverse
from tests.simulator.model.search import Search
from tests.simulator.model.world import World
from tests.simulator.notifications import SUBSCRIBED, Notifier, default_subscriptions
from tests.simulator.seeds import stream
from tests.simulator.switchboard import Switchboard
from tests.simulator.traffic import Traffic


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulator is started with."""

    seed: int = 1
    portal_id: int = 62515
    token: str = ""
    """The first account's private token; empty = drawn from the seed."""
    webhook_url: str = ""
    """Where notifications go; empty = nowhere."""
    client_secret: str = "simulated-client-secret"
    app_id: int = 14947547
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


class Simulator:
    """One stand-in for HubSpot, usable without HTTP as well."""

    def __init__(self, settings: Settings) -> None:
        seed = settings.seed
        self.settings = settings
        self.knobs = settings.knobs
        self.clock = Clock(settings.start_ms, frozen=settings.frozen)
        self.world = World(seed, self.clock)
        self.switchboard = Switchboard(stream(seed, "faults"))
        self.delivery = Delivery(self.clock, seed, lambda: self.knobs)
        self.traffic = Traffic(self.clock, seed)
        self.subscriptions = default_subscriptions(3_849_700, settings.properties)
        self._notifiers: dict[int, Notifier] = {}
        self._searches: dict[int, Search] = {}
        self._reverses: dict[int, Reverse] = {}
        self._limits: dict[int, Limits] = {}
        self._meters: dict[int, Meter] = {}
        if settings.webhook_url:
            self.delivery.target = Target(settings.webhook_url, settings.client_secret)
        self.open_account(settings.portal_id, settings.token)

    def open_account(self, portal_id: int, token: str = "") -> Account:
        """Return the account; a new one has a private app and the app's subscriptions."""
        known = portal_id in self.world.accounts
        account = self.world.open_account(portal_id)
        if token:
            private = self.world.private_token(portal_id)
            self.world.grants[token] = self.world.grants[private]
        if not known:
            rng = stream(self.settings.seed, portal_id, "notifications")
            notifier = Notifier(self.settings.app_id, portal_id, rng)
            notifier.subscribe(self.subscriptions)
            self._notifiers[portal_id] = notifier
            account.listeners.append(self._notify)
        return account

    def _notify(self, account: Account, change: Change) -> None:
        if self.delivery.target is not None and not account.muted:
            notifier = self._notifiers[account.portal_id]
            self.delivery.offer(account.portal_id, notifier.of(change))

    def notifier(self, portal_id: int) -> Notifier:
        """Return what makes the notifications of an account."""
        return self._notifiers[portal_id]

    def search_of(self, account: Account) -> Search:
        """Return the search of an account, whose index is built on the first use."""
        search = self._searches.get(account.portal_id)
        if search is None:
            search = self._searches[account.portal_id] = Search(account)
        return search

    def reverse_of(self, account: Account) -> Reverse:
        """Return the associations of an account as seen from the other side."""
        reverse = self._reverses.get(account.portal_id)
        if reverse is None:
            reverse = self._reverses[account.portal_id] = Reverse(account)
        return reverse

    def limits_of(self, portal_id: int) -> Limits:
        """Return the rate windows of an account."""
        return self._limits.setdefault(portal_id, Limits())

    def meter(self, portal_id: int) -> Meter:
        """Return the request counts of an account."""
        return self._meters.setdefault(portal_id, Meter())

    def all_counts(self) -> dict[int, Counts]:
        """Return the request counts of every account that was asked for."""
        return {portal_id: meter.counts for portal_id, meter in self._meters.items()}

    def notify(self, portal_id: int, order: Notify) -> None:
        """Send a notification that no change caused."""
        change = Change(self.clock.now_ms(), "notified", 123 if order.test_button else 0)
        event = self._notifiers[portal_id].free(change, order.fields, test=order.test_button)
        self.delivery.offer(portal_id, [event])

    def reset_meters(self) -> None:
        """Start counting requests and deliveries anew."""
        self._meters.clear()
        self.delivery.reset()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Deliver notifications and make traffic until the block ends."""
        await self.delivery.start()
        try:
            yield
        finally:
            self.traffic.stop()
            await self.delivery.stop()
