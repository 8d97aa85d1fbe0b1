"""One HubSpot account: its calls, and every way in which they change."""

from collections.abc import Callable, Mapping, Sequence

from tests.simulator.clock import Clock, iso
from tests.simulator.model.calls import NOTHING, SOMEBODY, Actor, Call, Change, Link
from tests.simulator.model.catalogue import Catalogue
from tests.simulator.model.definitions import Definition
from tests.simulator.model.dispositions import DISPOSITIONS
from tests.simulator.model.kinds import USUAL
from tests.simulator.model.people import staff
from tests.simulator.model.sorted import SortedIds
from tests.simulator.seeds import stream

Listener = Callable[["Account", Change], None]

SYSTEM_VALUES = frozenset({"hs_object_id", "hs_createdate", "hs_lastmodifieddate"})
"""Properties that HubSpot writes itself, and nobody else."""


class NoSuchCallError(LookupError):
    """The account has no call of that id in the wanted state."""


class Habits:
    """What HubSpot does not document, alike for all accounts."""

    def __init__(self) -> None:
        self.archiving_moves_date = False
        self.linking_moves_date = False


class Account:
    """The state of one account and the log of all its changes.

    Every change goes through `commit`: into the call, the log, the indexes, and on to listeners.
    """

    def __init__(
        self, portal_id: int, seed: int, clock: Clock, habits: Habits | None = None
    ) -> None:
        self.portal_id = portal_id
        self.habits = habits or Habits()
        self.clock = clock
        self.calls: dict[int, Call] = {}
        self.born: list[int] = []
        """The ids of all calls that ever were, ascending."""
        self.live = SortedIds()
        self.archived = SortedIds()
        self.log: list[Change] = []
        self.listeners: list[Listener] = []
        self.muted = False
        """True while a past is made up that nobody is to be notified of."""
        self.catalogue = Catalogue()
        self.dispositions: dict[str, str] = dict(DISPOSITIONS)
        self.kinds = frozenset(USUAL)
        """The object types that calls can be associated with, by plural name."""
        self.refused_kinds: frozenset[str] = frozenset()
        """Those of them that tokens may not read."""
        self.time_zone = "UTC"
        self.people = staff(stream(seed, portal_id, "people"), 12)
        self._unique: dict[str, dict[str, int]] = {"hs_unique_creation_key": {}}
        self._ids = stream(seed, portal_id, "ids")
        self._last_id = 180_000_000_000 + self._ids.randrange(10**9)

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """The properties that can be read and written, by name."""
        return self.catalogue.live

    def new_id(self) -> int:
        """Return an id that no record of this account has: they ascend, with gaps."""
        self._last_id += self._ids.randrange(1, 2_000)
        return self._last_id

    def commit(self, change: Change) -> Change:
        """Let a change happen."""
        call = self.calls.get(change.call_id)
        if call is None:
            call = self.calls[change.call_id] = Call(change.call_id)
            self.born.append(call.id)
        before = call.state
        call.apply(change)
        if call.state != before:
            self._file(call, before)
        for name in self._unique.keys() & change.values.keys():
            self._unique[name][change.values[name]] = call.id
        self.log.append(change)
        for listener in self.listeners:
            listener(self, change)
        return change

    def _file(self, call: Call, before: str) -> None:
        if before == "live":
            self.live.remove(call.id)
        elif before == "archived":
            self.archived.remove(call.id)
        if call.state == "live":
            self.live.add(call.id)
        elif call.state == "archived":
            self.archived.add(call.id)

    def unique_id(self, name: str, value: str) -> int | None:
        """Return the id of the call that last got this value of a unique property."""
        call_id = self._unique.setdefault(name, {}).get(value)
        call = self.calls.get(call_id or 0)
        return call_id if call is not None and call.values.get(name) == value else None

    def find(self, call_id: int, *states: str) -> Call:
        """Return the call if it is in one of these states.

        Raises:
            NoSuchCallError: it is not.
        """
        call = self.calls.get(call_id)
        if call is None or call.state not in states:
            msg = f"no call {call_id} that is {' or '.join(states)}"
            raise NoSuchCallError(msg)
        return call

    def create(self, values: Mapping[str, str], by: Actor = SOMEBODY) -> Call:
        """Log a new call with these properties, and return it."""
        at, call_id = self.clock.now_ms(), self.new_id()
        given = {n: v for n, v in values.items() if v and n not in SYSTEM_VALUES}
        moment = iso(at)
        given["hs_object_id"] = str(call_id)
        given["hs_createdate"] = given["hs_lastmodifieddate"] = moment
        self.commit(Change(at, "created", call_id, by, given))
        return self.calls[call_id]

    def update(self, call_id: int, values: Mapping[str, str], by: Actor = SOMEBODY) -> Call:
        """Set properties of a live call (empty clears one); what does not change is no change."""
        call = self.find(call_id, "live")
        news = {
            name: value
            for name, value in values.items()
            if name not in SYSTEM_VALUES and call.values.get(name, "") != value
        }
        if news:
            at = self.clock.now_ms()
            news["hs_lastmodifieddate"] = iso(at)
            self.commit(Change(at, "updated", call_id, by, news))
        return call

    def archive(self, call_id: int, by: Actor = SOMEBODY) -> Call:
        """Move a live call to the recycle bin; its properties stay as they are."""
        call = self.find(call_id, "live")
        at = self.clock.now_ms()
        self.commit(
            Change(at, "archived", call_id, by, _date(at, self.habits.archiving_moves_date))
        )
        return call

    def restore(self, call_id: int, by: Actor = SOMEBODY) -> Call:
        """Take a call out of the recycle bin."""
        call = self.find(call_id, "archived")
        at = self.clock.now_ms()
        self.commit(Change(at, "restored", call_id, by, {"hs_lastmodifieddate": iso(at)}))
        return call

    def purge(self, call_id: int, by: Actor = SOMEBODY, *, privacy: bool = False) -> Call:
        """Remove a call for good, for privacy's sake or not: the API forgets its id."""
        call = self.find(call_id, "live", "archived")
        kind = "erased" if privacy else "purged"
        self.commit(Change(self.clock.now_ms(), kind, call_id, by))
        return call

    def merge(
        self,
        primary_id: int,
        other_ids: Sequence[int],
        by: Actor = SOMEBODY,
        *,
        new_record: bool = False,
    ) -> Call:
        """Merge live calls into one, and return the survivor.

        The survivor gets the properties that it lacks and the others' associations. With
        `new_record` it is a record of a new id, and the primary goes away as well.
        """
        primary = self.find(primary_id, "live")
        others = [self.find(other, "live") for other in dict.fromkeys(other_ids)]
        if not others or primary in others:
            msg = "a merge needs other calls than the primary"
            raise NoSuchCallError(msg)
        survivor = primary
        if new_record:
            survivor = self.create(primary.values, by)
            others.insert(0, primary)
        at = self.clock.now_ms()
        gone = tuple(call.id for call in others)
        links = [link for call in others for link in call.every_link()]
        for call in others:
            self.commit(Change(at, "merged", call.id, by, other_ids=(survivor.id,)))
        news = _inherited(survivor, others) | {"hs_lastmodifieddate": iso(at)}
        self.commit(
            Change(at, "absorbed", survivor.id, by, news, other_ids=gone, primary_id=primary_id)
        )
        for link in links:
            self.associate(survivor.id, link, by)
        return survivor

    def associate(self, call_id: int, link: Link, by: Actor = SOMEBODY) -> bool:
        """Associate a live call with a record; False if it was so already."""
        call = self.find(call_id, "live")
        if link.type_id in call.links.get(link.to_type, {}).get(link.to_id, ()):
            return False
        at = self.clock.now_ms()
        values = _date(at, self.habits.linking_moves_date)
        self.commit(Change(at, "associated", call_id, by, values, link))
        return True

    def dissociate(self, call_id: int, link: Link, by: Actor = SOMEBODY) -> bool:
        """Remove an association of a live call (type id 0: of every type); False if none."""
        call = self.find(call_id, "live")
        types = call.links.get(link.to_type, {}).get(link.to_id, ())
        gone = [type_id for type_id in types if link.type_id in (0, type_id)]
        at = self.clock.now_ms()
        values = _date(at, self.habits.linking_moves_date)
        for type_id in gone:
            one = Link(link.to_type, link.to_id, type_id)
            self.commit(Change(at, "dissociated", call_id, by, values, one))
        return bool(gone)


def _date(at_ms: int, moves: bool) -> Mapping[str, str]:  # noqa: FBT001 - a habit, yes or no
    """Return the new date of modification, if it moves."""
    return {"hs_lastmodifieddate": iso(at_ms)} if moves else NOTHING


def _inherited(survivor: Call, others: Sequence[Call]) -> dict[str, str]:
    """Return what a merge writes into the survivor: what it lacks, and whom it took in."""
    news: dict[str, str] = {}
    for call in reversed(others):
        news |= call.values
    news = {name: value for name, value in news.items() if name not in survivor.values}
    before = survivor.values.get("hs_merged_object_ids", "")
    ids = filter(None, [before, *(str(call.id) for call in others)])
    return news | {"hs_merged_object_ids": ";".join(ids)}
