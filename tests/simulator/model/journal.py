"""The Webhooks Journal: what happened, in files that are kept for three days."""

import random
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, UnsetType

from tests.simulator.clock import Clock, Timer, iso
from tests.simulator.model.account import Account
from tests.simulator.model.calls import CALL_TYPE, Call, Change
from tests.simulator.model.journal_subscriptions import JournalSubscriptions
from tests.simulator.model.kinds import TYPE_IDS
from tests.simulator.seeds import draw_uuid

INSTALLED, UNINSTALLED = "4-1909196", "4-1916193"
"""Event type ids of an app's life cycle."""

_ACTIONS = {
    "created": "CREATE",
    "updated": "UPDATE",
    "archived": "DELETE",
    "purged": "DELETE",
    "erased": "DELETE",
    "absorbed": "MERGE",
    "restored": "RESTORE",
    "associated": "ASSOCIATION_ADDED",
    "dissociated": "ASSOCIATION_REMOVED",
}


class JournalEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One entry of a file."""

    type: str
    portal_id: int
    occurred_at: str
    action: str
    object_type_id: str | UnsetType = UNSET
    object_id: int | UnsetType = UNSET
    property_changes: Mapping[str, str] | UnsetType = UNSET
    properties: Mapping[str, str | None] | UnsetType = UNSET
    merged_object_ids: Sequence[int] | UnsetType = UNSET
    event_type_id: str | UnsetType = UNSET
    from_object_id: int | UnsetType = UNSET
    from_object_type_id: str | UnsetType = UNSET
    to_object_id: int | UnsetType = UNSET
    to_object_type_id: str | UnsetType = UNSET
    association_type_id: int | UnsetType = UNSET
    association_category: str | UnsetType = UNSET
    is_primary: bool | UnsetType = UNSET


class File(msgspec.Struct, frozen=True):
    """A published part of the journal."""

    offset: str
    number: int
    published_at: int
    events: tuple[JournalEvent, ...]
    portals: frozenset[int]


class Journal:
    """The journal of one app: pending events, and the files that it published."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self.subscriptions = JournalSubscriptions()
        self.keep_ms, self.every_ms, self.file_size = 3 * 86_400_000, 1_000, 10_000
        self._clock = clock
        self._rng = rng
        self._pending: list[JournalEvent] = []
        self._files: list[File] = []
        self._numbers: dict[str, int] = {}
        self._timer: Timer | None = None

    def hear(self, account: Account, change: Change) -> None:
        """Take a change in, as far as a subscription wants it."""
        if account.muted or not self.subscriptions.portals.get(account.portal_id):
            return
        call, action = account.calls[change.call_id], _ACTIONS.get(change.kind)
        kind = "ASSOCIATION" if change.link else "OBJECT"
        if action and self.subscriptions.want(account.portal_id, kind, action, call, change):
            self.write(_event(account.portal_id, kind, action, change))
        if change.kind == "erased" and self.subscriptions.want(
            account.portal_id, "GDPR_PRIVACY_DELETION", "GDPR_DELETE", call, change
        ):
            self.write(_event(account.portal_id, "GDPR_PRIVACY_DELETION", "GDPR_DELETE", change))

    def hear_move(self, app_id: int, portal_id: int, *, installed: bool) -> None:
        """Take an installation or its end in."""
        event_type = INSTALLED if installed else UNINSTALLED
        if self.subscriptions.want_event(event_type):
            self.write(
                JournalEvent(
                    "APP_LIFECYCLE_EVENT",
                    portal_id,
                    iso(self._clock.now_ms()),
                    "APP_INSTALL" if installed else "APP_UNINSTALL",
                    event_type_id=event_type,
                    properties={"hs_app_id": str(app_id)},
                )
            )

    def snapshot(self, portal_id: int, call: Call, names: Sequence[str]) -> None:
        """Write down how a call is now."""
        self.write(
            JournalEvent(
                "OBJECT",
                portal_id,
                iso(self._clock.now_ms()),
                "SNAPSHOT",
                CALL_TYPE,
                call.id,
                properties={name: call.values.get(name) for name in names},
            )
        )

    def write(self, event: JournalEvent) -> None:
        """Add an event to the next file, which comes `every_ms` after its first one."""
        self._pending.append(event)
        if self._timer is None:
            self._timer = self._clock.call_at(self._clock.now_ms() + self.every_ms, self.publish)

    def publish(self) -> None:
        """Make files of what is pending."""
        self._timer = None
        pending, self._pending = self._pending, []
        for start in range(0, len(pending), self.file_size):
            events = tuple(pending[start : start + self.file_size])
            offset = draw_uuid(self._rng)
            number = self._files[-1].number + 1 if self._files else len(self._numbers)
            portals = frozenset(event.portal_id for event in events)
            self._numbers[offset] = number
            self._files.append(File(offset, number, self._clock.now_ms(), events, portals))

    def files(self, portal_id: int | None = None) -> list[File]:
        """Return the files that are still kept, oldest first, of one account or of all."""
        oldest = self._clock.now_ms() - self.keep_ms
        self._files = [file for file in self._files if file.published_at > oldest]
        if portal_id is None:
            return self._files
        return [file for file in self._files if portal_id in file.portals]

    def find(self, offset: str) -> File | None:
        """Return the file of an offset, if it is still kept."""
        files, number = self.files(), self._numbers.get(offset)
        if number is None or not files:
            return None
        place = number - files[0].number
        return files[place] if place >= 0 else None

    def after(self, offset: str, portal_id: int | None = None) -> list[File] | None:
        """Return the files after an offset; None if it is unknown or too old to go on from."""
        number = self._numbers.get(offset)
        if number is None:
            return None
        files = self.files()
        if files and number < files[0].number - 1:
            return None
        later = self.files(portal_id)
        return later[bisect_left([file.number for file in later], number + 1) :]


def _event(portal_id: int, kind: str, action: str, change: Change) -> JournalEvent:
    moment = iso(change.at)
    link = change.link
    if link:
        return JournalEvent(
            kind,
            portal_id,
            moment,
            action,
            from_object_id=change.call_id,
            from_object_type_id=CALL_TYPE,
            to_object_id=link.to_id,
            to_object_type_id=TYPE_IDS[link.to_type],
            association_type_id=link.type_id,
            association_category="HUBSPOT_DEFINED",
            is_primary=False,
        )
    return JournalEvent(
        kind,
        portal_id,
        moment,
        action,
        CALL_TYPE,
        change.call_id,
        change.values if action in ("CREATE", "UPDATE") else UNSET,
        merged_object_ids=change.other_ids if action == "MERGE" else UNSET,
    )
