"""The truth about an account, for checkers: every call's state, every change ever made."""

from bisect import bisect_left

from tests.simulator.clock import iso
from tests.simulator.messages import ChangePage, TrueCall, TrueChange, TruthPage
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call, Change
from tests.simulator.simulator import Simulator


def true_call(simulator: Simulator, portal_id: int, call: Call) -> TrueCall:
    """Return what is true of one call."""
    archived = call.state == "archived"
    shown = {} if archived and not simulator.knobs.archived_links else call.links
    acknowledged = simulator.delivery.acknowledged.get(portal_id, {})
    return TrueCall(
        id=str(call.id),
        state=call.state,
        properties=call.values,
        associations={
            kind: [str(target) for target in sorted(targets)]
            for kind, targets in sorted(shown.items())
            if targets
        },
        created_at=call.created_at,
        updated_at=call.updated_at,
        archived_at=iso(call.archived_at) if archived else None,
        merged_into=str(call.merged_into) if call.state == "merged" else None,
        changes=len(call.changes),
        changed_at=call.changes[-1].at,
        acknowledged_at=acknowledged.get(call.id),
        sent_at=simulator.delivery.sent.get(portal_id, {}).get(call.id),
        read_at=call.read_at or None,
    )


def truth(simulator: Simulator, portal_id: int, start: int, size: int) -> TruthPage:
    """Return a page of all calls that ever were, from id `start` on."""
    account = simulator.world.accounts[portal_id]
    place = bisect_left(account.born, start)
    ids = account.born[place : place + size + 1]
    after = ids[size] if len(ids) > size else None
    return TruthPage(
        [true_call(simulator, portal_id, account.calls[call_id]) for call_id in ids[:size]], after
    )


def changes(account: Account, start: int, size: int) -> ChangePage:
    """Return a page of the log, from index `start` on."""
    page = account.log[start : start + size]
    end = start + len(page)
    return ChangePage(
        [_true_change(start + place, change) for place, change in enumerate(page)],
        end if end < len(account.log) else None,
    )


def _true_change(index: int, change: Change) -> TrueChange:
    link = change.link
    return TrueChange(
        index=index,
        at=change.at,
        kind=change.kind,
        call_id=str(change.call_id),
        properties=dict(change.values),
        source=change.by.source,
        to_type=link.to_type if link else "",
        to_id=str(link.to_id) if link else "",
        type_id=link.type_id if link else 0,
        other_ids=[str(other) for other in change.other_ids],
    )
