"""What the control API and its client say to each other."""

from collections.abc import Mapping

import msgspec

from tests.simulator.meters import Counts
from tests.simulator.switchboard import Strike
from tests.simulator.tally import Tally


class Create(msgspec.Struct, frozen=True, tag="create", kw_only=True):
    """Log a call."""

    properties: dict[str, str] = {}
    associations: dict[str, list[int]] = {}
    """Ids of associated records by plural object type."""
    source: str = "CRM_UI"


class Update(msgspec.Struct, frozen=True, tag="update"):
    """Set properties; an empty value clears one."""

    id: int
    properties: dict[str, str]
    source: str = "CRM_UI"


class Associate(msgspec.Struct, frozen=True, tag="associate"):
    """Associate a call with a record."""

    id: int
    to_type: str
    to_id: int
    type_id: int = 0
    """0 = the default type."""


class Dissociate(msgspec.Struct, frozen=True, tag="dissociate"):
    """Remove an association."""

    id: int
    to_type: str
    to_id: int
    type_id: int = 0
    """0 = every type."""


class Archive(msgspec.Struct, frozen=True, tag="archive"):
    """Move a call to the recycle bin."""

    id: int


class Restore(msgspec.Struct, frozen=True, tag="restore"):
    """Take a call out of the recycle bin."""

    id: int


class Purge(msgspec.Struct, frozen=True, tag="purge"):
    """Remove a call for good."""

    id: int


class Merge(msgspec.Struct, frozen=True, tag="merge"):
    """Merge calls into one; the deed's answer is the survivor's id."""

    id: int
    others: list[int]
    new_record: bool = False


class Notify(msgspec.Struct, frozen=True, tag="notify"):
    """Send a notification that no change caused, such as one of an unknown kind."""

    fields: dict[str, str | int | bool | list[int] | None]
    """Over or beside the fields that every notification has; null takes one away."""
    test_button: bool = False
    """The event that HubSpot's Test button sends: event 100, object 123."""


Deed = Create | Update | Associate | Dissociate | Archive | Restore | Purge | Merge | Notify


class Deeds(msgspec.Struct, frozen=True):
    """Things to do in one account, in order."""

    deeds: list[Deed]
    portal_id: int | None = None
    """None = the first account."""


class Done(msgspec.Struct, frozen=True):
    """The call id of each deed, 0 where there is none."""

    ids: list[int]


class ClockState(msgspec.Struct, frozen=True):
    """The simulator's time in epoch ms."""

    now_ms: int
    frozen: bool


class TrueCall(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a call, whatever was said or shown of it."""

    id: str
    state: str
    """`live`, `archived`, `gone` or `merged`."""
    properties: Mapping[str, str]
    associations: dict[str, list[str]]
    """Ids of associated records by plural object type, sorted as numbers."""
    created_at: str
    updated_at: str
    archived_at: str | None = None
    merged_into: str | None = None
    changes: int = 0
    """How many changes it has seen."""
    changed_at: int = 0
    """When the latest one happened, in epoch ms."""
    acknowledged_at: int | None = None
    """When the latest notification that names it was answered 2xx, in epoch ms."""
    sent_at: int | None = None
    """When the latest request that was answered so set out: a read that came in later than
    `acknowledged_at` is later than the receiver's mark, one before `sent_at` is not."""
    read_at: int | None = None
    """When the latest request that read it came in, in epoch ms."""


class TruthPage(msgspec.Struct, frozen=True):
    """Calls in the order of their ids."""

    calls: list[TrueCall]
    after: int | None = None
    """Where the next page starts."""


class TrueChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change that ever happened."""

    index: int
    at: int
    kind: str
    call_id: str
    properties: dict[str, str] = {}
    source: str = ""
    to_type: str = ""
    to_id: str = ""
    type_id: int = 0
    other_ids: list[str] = []


class ChangePage(msgspec.Struct, frozen=True):
    """Changes in the order in which they happened."""

    changes: list[TrueChange]
    after: int | None = None


class Deliveries(msgspec.Struct, frozen=True):
    """What became of notifications."""

    tally: Tally
    pending: int


class Requests(msgspec.Struct, frozen=True):
    """Requests by portal id; 0 = no account."""

    accounts: dict[int, Counts]

    @property
    def object_reads(self) -> int:
        """Reads of calls, of all accounts."""
        return sum(counts.object_reads for counts in self.accounts.values())

    @property
    def association_reads(self) -> int:
        """Reads of associations, of all accounts."""
        return sum(counts.association_reads for counts in self.accounts.values())


class AccountState(msgspec.Struct, frozen=True):
    """An account and how to get in."""

    portal_id: int
    token: str
    calls: int
    live: int
    archived: int
    changes: int


class Usage(msgspec.Struct, frozen=True):
    """What the simulator's process has used."""

    cpu_s: float
    largest_mb: float
    """The most memory that it ever held."""


class FaultState(msgspec.Struct, frozen=True):
    """How often each fault struck, by id; taken-away ones too."""

    struck: dict[int, int]
    active: list[int]
    strikes: list[Strike]
    """The latest thousand, one by one."""
