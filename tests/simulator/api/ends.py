"""The two ends of an association: one of them is always a call."""

import msgspec

from tests.simulator.answers import HubSpotError, invalid, not_found
from tests.simulator.api.reading import VERSIONS, whole_number
from tests.simulator.api.writing import actor
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.faulty import MISSING_SCOPES
from tests.simulator.model.account import NoSuchCallError
from tests.simulator.model.calls import Link
from tests.simulator.model.kinds import FROM_CALL, TO_CALL, plural
from tests.simulator.model.reverse import Links


class Ends(msgspec.Struct, frozen=True):
    """The object types of an association, plural names."""

    here: str
    there: str

    @property
    def default_type(self) -> int:
        """The association type that HubSpot takes when none is named."""
        return FROM_CALL[self.there] if self.here == "calls" else TO_CALL[self.here]


class Pair(msgspec.Struct, frozen=True):
    """Two records."""

    from_id: str | int
    to_id: str | int


def read_ends(request: HubSpotRequest) -> tuple[Caller, Ends]:
    """Return who asks, and the two types of the path.

    Raises:
        HubSpotError: 404 for a version without associations, 400 for types that do not go together.
    """
    caller = caller_of(request)
    old = request.scope["path"].startswith("/crm/v4/")
    if old != (caller.version == "v4") or (not old and caller.version not in VERSIONS[1:]):
        raise not_found()
    kind, to_kind = caller.params["kind"], caller.params["to_kind"]
    here, there = plural(kind), plural(to_kind)
    if here is None or there is None:
        message = f"Unable to infer object type from: {(to_kind if here else kind)[:80]}"
        raise invalid(message)
    if (here == "calls") == (there == "calls"):
        message = f"No association types between {here} and {there} are simulated."
        raise invalid(message)
    check_kind(caller, there if here == "calls" else here)
    return caller, Ends(here, there)


def check_kind(caller: Caller, kind: str) -> None:
    """Let an object type pass that the account has and that the token may read.

    Raises:
        HubSpotError: 400 or 403.
    """
    if kind not in caller.account.kinds:
        message = f"Unable to infer object type from: {kind}"
        raise invalid(message)
    if kind in caller.account.refused_kinds:
        message = "This app hasn't been granted all required scopes to make this call."
        raise HubSpotError(403, "MISSING_SCOPES", message, errors=MISSING_SCOPES)


def read_pair(request: HubSpotRequest) -> tuple[Caller, Ends, Pair]:
    """Return who asks, and the two records of the path."""
    caller, ends = read_ends(request)
    return caller, ends, Pair(caller.params["object_id"], caller.params["to_id"])


def links_from(caller: Caller, ends: Ends, object_id: str | int) -> Links:
    """Return the associations of a record; of one that cannot be read there are none."""
    number = whole_number(object_id)
    if number is None:
        return {}
    if ends.here != "calls":
        return caller.simulator.reverse_of(caller.account).links(ends.here, number)
    call = caller.account.calls.get(number)
    if call is None:
        return {}
    seen = caller.seen(call)
    readable = ("live", "archived") if caller.simulator.knobs.archived_links else ("live",)
    return seen.links.get(ends.there, {}) if seen.state in readable else {}


def associate(caller: Caller, ends: Ends, pair: Pair, type_id: int = 0) -> None:
    """Associate two records; a type id of 0 is the default.

    Raises:
        HubSpotError: 400 for a type between other objects, 404 for a call that is not there.
    """
    call_id, link = _link(ends, pair, type_id or ends.default_type)
    try:
        caller.account.associate(call_id, link, actor(caller))
    except NoSuchCallError as error:
        raise not_found() from error


def dissociate(caller: Caller, ends: Ends, pair: Pair, type_id: int = 0) -> None:
    """Associate two records no more; a type id of 0 is every one.

    Raises:
        HubSpotError: as above.
    """
    call_id, link = _link(ends, pair, type_id)
    try:
        caller.account.dissociate(call_id, link, actor(caller))
    except NoSuchCallError as error:
        raise not_found() from error


def _link(ends: Ends, pair: Pair, type_id: int) -> tuple[int, Link]:
    from_call = ends.here == "calls"
    kind = ends.there if from_call else ends.here
    numbers = whole_number(pair.from_id), whole_number(pair.to_id)
    call_id, target = numbers if from_call else numbers[::-1]
    if type_id not in (0, ends.default_type):
        message = f"Association type {type_id} does not go from {ends.here} to {ends.there}"
        raise invalid(message)
    if call_id is None or not target:
        raise not_found()
    return call_id, Link(kind, target, FROM_CALL[kind] if type_id else 0)
