"""The whole simulator: accounts, apps, clock, deliveries, faults and traffic in one object."""

import contextlib
from collections.abc import AsyncGenerator, Mapping

import msgspec

from tests.simulator.clock import Clock
from tests.simulator.delivery import Delivery
from tests.simulator.knobs import Knobs
from tests.simulator.limits import Limits
from tests.simulator.meters import Counts, Meter
from tests.simulator.model.account import Account
from tests.simulator.model.apps import App
from tests.simulator.model.authority import Authority
from tests.simulator.model.calls import Change
from tests.simulator.model.journal import Journal
from tests.simulator.model.reverse import Reverse
from tests.simulator.model.search import Search
from tests.simulator.model.subscriptions import default_subscriptions
from tests.simulator.model.world import Grant, World
from tests.simulator.notifications import Notifier
from tests.simulator.seeds import draw_uuid, stream
from tests.simulator.settings import Settings
from tests.simulator.snapshots import Snapshots
from tests.simulator.switchboard import Switchboard
from tests.simulator.traffic import Traffic


class Simulator:
    """One stand-in for HubSpot, usable without HTTP as well.

    It has two apps: one that is notified by webhooks, and one that reads the journal, because
    HubSpot keeps the two apart.
    """

    def __init__(self, settings: Settings) -> None:
        seed = settings.seed
        self.settings = settings
        self.knobs = settings.knobs
        self.clock = Clock(settings.start_ms, frozen=settings.frozen)
        self.world = World(seed, self.clock)
        self.switchboard = Switchboard(stream(seed, "faults"))
        self.authority = Authority(self.world, self.clock, stream(seed, "tokens"))
        self.app = self._make_app(settings.app_id, settings.client_secret)
        self.app.target_url = settings.webhook_url
        for item in default_subscriptions(3_849_700, settings.properties):
            self.app.subscriptions[item.id] = item
        self.app.changed.append(self._resubscribe)
        self.app.moved.append(self._moved)
        self.journal_app = self._make_app(settings.app_id + 1, settings.journal_secret)
        self.journal = Journal(self.clock, stream(seed, "journal"))
        self.snapshots = Snapshots(self.clock, stream(seed, "snapshots"), self.world, self.journal)
        self.delivery = Delivery(self.clock, seed, self.app, lambda: self.knobs, self.switchboard)
        self.traffic = Traffic(self.clock, seed)
        self._users = 0
        self._notifiers: dict[int, Notifier] = {}
        self._searches: dict[int, Search] = {}
        self._reverses: dict[int, Reverse] = {}
        self._limits: dict[int, Limits] = {}
        self._meters: dict[int, Meter] = {}
        self.developer_key = f"sim-{draw_uuid(stream(seed, 'developer key'))}"
        self.world.grants[self.developer_key] = Grant(portal_id=None, kind="developer")
        self.turn()
        self.open_account(settings.portal_id, settings.token)

    def _make_app(self, app_id: int, secret: str) -> App:
        client_id = draw_uuid(stream(self.settings.seed, app_id, "client id"))
        app = App(app_id, client_id, secret)
        self.authority.apps[client_id] = app
        return app

    def turn(self, **knobs: float | str | bool | None) -> Knobs:
        """Turn knobs by name.

        Raises:
            msgspec.ValidationError: a knob is unknown or has a wrong value.
        """
        self.knobs = msgspec.convert(msgspec.to_builtins(self.knobs) | knobs, Knobs)
        self.world.habits.archiving_moves_date = self.knobs.archiving_moves_date
        self.world.habits.linking_moves_date = self.knobs.linking_moves_date
        self.journal.every_ms = self.knobs.journal_every_ms
        self.journal.file_size = self.knobs.journal_file_size
        self.journal.keep_ms = self.knobs.journal_keep_ms
        return self.knobs

    def open_account(self, portal_id: int, token: str = "", *, installed: bool = True) -> Account:
        """Return the account; a new one has a private app, and the webhook app if `installed`."""
        known = portal_id in self.world.accounts
        account = self.world.open_account(portal_id)
        if token:
            private = self.world.private_token(portal_id)
            self.world.grants[token] = self.world.grants[private]
        if not known:
            rng = stream(self.settings.seed, portal_id, "notifications")
            notifier = Notifier(self.settings.app_id, portal_id, rng)
            notifier.subscribe(self.app.subscriptions.values())
            self._notifiers[portal_id] = notifier
            account.listeners += [self._notify, self.journal.hear]
            if installed:
                self.app.install(portal_id)
        return account

    def open_crowd(self, accounts: int, calls: int, rate: float) -> list[Account]:
        """Open so many accounts; the n-th has a share of 1/n of the calls and the life."""
        rng = stream(self.settings.seed, "crowd", accounts)
        whole = sum(1 / place for place in range(1, accounts + 1))
        crowd: list[Account] = []
        for place in range(1, accounts + 1):
            account = self.open_account(rng.randrange(10**5, 10**9))
            share = 1 / place / whole
            if calls:
                self.traffic.life(account).bulk(round(calls * share))
            if rate:
                self.traffic.start(account, rate * share)
            crowd.append(account)
        return crowd

    def _resubscribe(self) -> None:
        for notifier in self._notifiers.values():
            notifier.subscribe(self.app.subscriptions.values())

    def _moved(self, app: App, portal_id: int, installed: bool) -> None:  # noqa: FBT001 - a callback
        self.journal.hear_move(app.id, portal_id, installed=installed)
        if not installed:
            self.authority.forget(app, portal_id)
            self.delivery.forget(portal_id)

    def _notify(self, account: Account, change: Change) -> None:
        told = account.portal_id in self.app.installed and not account.muted
        if told and self.app.target_url:
            notifier = self._notifiers[account.portal_id]
            self.delivery.offer(account.portal_id, notifier.of(change))

    def notify(
        self, portal_id: int, fields: Mapping[str, object], *, test_button: bool = False
    ) -> None:
        """Send a notification that no change caused; a field of None is left out."""
        change = Change(self.clock.now_ms(), "notified", 123 if test_button else 0)
        event = self._notifiers[portal_id].free(change, fields, test=test_button)
        self.delivery.offer(portal_id, [event])

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
        limits = self._limits.get(portal_id)
        if limits is None:
            account = self.world.accounts.get(portal_id)
            limits = self._limits[portal_id] = Limits(account.time_zone if account else "UTC")
        return limits

    def meter(self, portal_id: int) -> Meter:
        """Return the request counts of an account; 0 = requests without one."""
        return self._meters.setdefault(portal_id, Meter())

    def all_counts(self) -> dict[int, Counts]:
        """Return the request counts of every account that was asked for."""
        return {portal_id: meter.counts for portal_id, meter in self._meters.items()}

    def reset_meters(self) -> None:
        """Start counting requests and deliveries anew."""
        self._meters.clear()
        self.delivery.reset()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Deliver notifications and make traffic until the last such block ends."""
        self._users += 1
        if self._users == 1:
            await self.delivery.start()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self.traffic.stop()
                await self.delivery.stop()
