"""Does what the control API asks for in an account."""

from tests.simulator.answers import HubSpotError
from tests.simulator.messages import (
    Archive,
    Associate,
    Create,
    Deed,
    Dissociate,
    Merge,
    Notify,
    Purge,
    Restore,
    Update,
)
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Actor, Call, Link
from tests.simulator.model.kinds import FROM_CALL, plural
from tests.simulator.simulator import Simulator


def do(simulator: Simulator, account: Account, deed: Deed) -> int:
    """Do one thing, and return the id of the call that it was done to, 0 if to none.

    Raises:
        NoSuchCallError: the call is not there, or not in a state for that.
    """
    match deed:
        case Notify():
            simulator.notify(account.portal_id, deed.fields, test_button=deed.test_button)
            return 0
        case Associate():
            account.associate(deed.id, _link(deed.to_type, deed.to_id, deed.type_id))
            return deed.id
        case Dissociate():
            account.dissociate(deed.id, Link(_kind(deed.to_type), deed.to_id, deed.type_id))
            return deed.id
        case _:
            return _change(account, deed).id


def _change(account: Account, deed: Create | Update | Archive | Restore | Purge | Merge) -> Call:
    match deed:
        case Create():
            return _create(account, deed)
        case Update():
            return account.update(deed.id, deed.properties, Actor(deed.source))
        case Archive():
            return account.archive(deed.id)
        case Restore():
            return account.restore(deed.id)
        case Purge():
            return account.purge(deed.id)
        case Merge():
            return account.merge(deed.id, deed.others, new_record=deed.new_record)


def _create(account: Account, deed: Create) -> Call:
    by = Actor(deed.source)
    call = account.create(deed.properties, by)
    for kind, targets in deed.associations.items():
        for target in targets:
            account.associate(call.id, _link(kind, target, 0), by)
    return call


def _kind(name: str) -> str:
    kind = plural(name)
    if kind is None or kind == "calls":
        message = f"calls have no associations with {name[:80]}"
        raise HubSpotError(400, "VALIDATION_ERROR", message)
    return kind


def _link(name: str, target: int, type_id: int) -> Link:
    kind = _kind(name)
    return Link(kind, target, type_id or FROM_CALL[kind])
