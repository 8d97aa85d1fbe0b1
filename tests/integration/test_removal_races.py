"""An account is removed while it is worked on: nothing of it is written afterwards."""

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest
from redis.asyncio import Redis

from jobs.accounts.removal import Remover
from jobs.backfill.collect import collect_calls
from jobs.ledger.ledger import Ledger
from jobs.live.reread import reread_calls
from jobs.reconciliation.turn import reconcile_calls
from jobs.redis import command
from tests.integration.test_account_removal import OTHER, PORTAL, QUICK, named, remover
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import Desk
from tests.support.waiting import until

SLOW_MS = 600
"""So long HubSpot takes to list a page."""


def remover_of(desk: Desk, namespace: str) -> Remover:
    """Return what removes the desk's account."""
    return remover(desk.redis, namespace)


async def is_asked(control: Control, operation: str, portal_id: int) -> bool:
    """Tell whether HubSpot was asked for it."""
    counts = (await control.requests()).accounts.get(portal_id)
    return counts is not None and counts.by_operation.get(operation, 0) > 0


async def test_a_page_in_hand_is_waited_for(desk: Desk, control: Control, namespace: str) -> None:
    """A backfill whose page is on its way from HubSpot publishes it before all is forgotten."""
    portal_id = desk.portal_id
    for _ in range(3):
        await control.create({}, portal_id=portal_id)
    await control.fault(
        Fault(effect="delay", operation="calls.list", portal_id=portal_id, delay_ms=SLOW_MS)
    )
    await desk.context.runs.start(portal_id, "live")
    turn = asyncio.create_task(collect_calls(desk.context, portal_id, "live", "one"))
    await until(lambda: is_asked(control, "calls.list", portal_id))
    removed = await remover_of(desk, namespace).remove(portal_id, now=True)
    await turn
    assert removed.records == removed.events == 3
    assert await desk.events() == []
    assert await desk.context.stream.records.count(portal_id) == 0
    assert await named(desk.redis, portal_id) == []


async def test_a_reconciliation_in_hand_is_waited_for(
    desk: Desk, control: Control, namespace: str
) -> None:
    """A reconciliation whose page is on its way marks its calls before all is forgotten."""
    portal_id = desk.portal_id
    await control.create({}, portal_id=portal_id)
    await control.fault(
        Fault(effect="delay", operation="calls.search", portal_id=portal_id, delay_ms=SLOW_MS)
    )
    turn = asyncio.create_task(reconcile_calls(desk.context, portal_id))
    await until(lambda: is_asked(control, "calls.search", portal_id))
    await remover_of(desk, namespace).remove(portal_id)
    await turn
    assert await named(desk.redis, portal_id) == []
    assert await desk.context.ledger.strangers() == frozenset()


async def test_jobs_that_come_too_late(desk: Desk, namespace: str) -> None:
    """Jobs that waited on a queue while the account was removed leave no trace of it."""
    portal_id = desk.portal_id
    await desk.context.runs.start(portal_id, "live")
    await remover_of(desk, namespace).remove(portal_id)
    await reconcile_calls(desk.context, portal_id)
    await collect_calls(desk.context, portal_id, "live", "one")
    await reread_calls(desk.context, portal_id, 1)
    await desk.fetch()
    assert await named(desk.redis, portal_id) == []
    due = await command(desk.redis, "ZSCORE", f"{namespace}:reconciliation:due", portal_id)
    assert due is None


@pytest.mark.parametrize(
    ("index", "kind"),
    [("ledger:newcomers", "set"), ("breaker:failing", "zset"), ("breaker:waking", "zset")],
)
async def test_no_list_names_it(redis: Redis, namespace: str, index: str, kind: str) -> None:
    """An account that was just connected, or failed in an outage, is taken off those lists."""
    await Ledger(redis, namespace, QUICK).connect(PORTAL)
    key = f"{namespace}:{index}"
    for portal_id in (PORTAL, PORTAL * 10):
        added = ("SADD", key, portal_id) if kind == "set" else ("ZADD", key, 1, portal_id)
        await command(redis, *added)
    await remover(redis, namespace).remove(PORTAL)
    left = ("SMEMBERS", key) if kind == "set" else ("ZRANGE", key, 0, -1)
    assert [*cast("Iterable[bytes]", await command(redis, *left))] == [str(PORTAL * 10).encode()]


async def test_no_token_is_said_to_be_its(redis: Redis, namespace: str) -> None:
    """Whose a token was is forgotten: of other accounts it is still known."""
    owners = f"{namespace}:accounts:owners"
    for word, portal_id in (("old", PORTAL), ("new", PORTAL), ("other", OTHER)):
        await command(redis, "HSET", owners, word, portal_id)
    await Ledger(redis, namespace, QUICK).connect(PORTAL)
    await remover(redis, namespace).remove(PORTAL)
    assert await command(redis, "HGETALL", owners) == {b"other": str(OTHER).encode()}
