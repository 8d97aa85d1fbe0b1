"""How notifications travel: batches, in-flight limit, deadline, retries, disorder."""

import asyncio
from collections import Counter

import pytest

from tests.simulator.model.account import Account
from tests.simulator.signatures import sign_v1, sign_v2, sign_v3
from tests.simulator.simulator import Simulator
from tests.simulator.switchboard import Fault
from tests.simulator_tests.conftest import Received, Receiver


@pytest.fixture
def account(simulator: Simulator) -> Account:
    """Return the first account."""
    return simulator.world.accounts[simulator.settings.portal_id]


def create(account: Account, count: int) -> None:
    """Log calls that make one notification each."""
    for _ in range(count):
        account.create({})


async def test_requests_are_signed_over_what_is_sent(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """v3 covers the raw body and the URL with its escapes decoded; v1 or v2 stands beside it."""
    secret = simulator.app.client_secret
    account.create({"hs_call_body": "Café 🎧"})
    await simulator.delivery.quiet()
    simulator.turn(legacy_signature="v2")
    create(account, 1)
    await simulator.delivery.quiet()
    first, second = receiver.requests
    timestamp = int(first.headers["X-HubSpot-Request-Timestamp"])
    v3 = sign_v3(secret, "POST", receiver.url.replace("%2F", "/"), first.body, timestamp)
    assert first.headers["X-HubSpot-Signature-v3"] == v3
    assert first.headers["X-HubSpot-Signature"] == sign_v1(secret, first.body)
    assert first.headers["X-HubSpot-Signature-Version"] == "v1"
    v2 = sign_v2(secret, "POST", receiver.url, second.body)
    assert second.headers["X-HubSpot-Signature"] == v2
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["User-Agent"].startswith("HubSpot Connect 2.0")


async def test_arrays_hold_a_hundred_at_most(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """What is due at once travels in arrays of up to a hundred, everything exactly once."""
    create(account, 1_050)
    await simulator.delivery.quiet()
    sizes = [len(request.events) for request in receiver.requests]
    assert max(sizes) == 100
    assert sum(sizes) == 1_050
    assert len({event["objectId"] for event in receiver.events}) == 1_050


async def test_ten_requests_are_in_flight_per_account(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """The eleventh request waits until one was answered; another account has its own ten."""
    gate, full, flying = asyncio.Event(), asyncio.Event(), Counter[object]()

    async def hold(request: Received) -> int:
        flying[request.events[0]["portalId"]] += 1
        if sum(flying.values()) >= 13:
            full.set()
        await gate.wait()
        return 204

    receiver.answer = hold
    other = simulator.open_account(777)
    simulator.turn(batch_size=1)
    create(account, 15)
    create(other, 3)
    await full.wait()
    await asyncio.sleep(0.05)
    assert flying == {account.portal_id: 10, 777: 3}
    gate.set()
    await simulator.delivery.quiet()
    assert simulator.delivery.tally.most_in_flight == 10


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_any_4xx_and_5xx_is_retried(
    simulator: Simulator, account: Account, receiver: Receiver, status: int
) -> None:
    """A refused notification comes again with the same id and the next attempt number."""
    answers = iter([status, status, 204])

    async def refuse(_request: Received) -> int:
        return next(answers)

    receiver.answer = refuse
    create(account, 1)
    while simulator.delivery.pending:
        await asyncio.sleep(0.005)
        simulator.clock.move(3_600_000)
    events = receiver.events
    assert [event["attemptNumber"] for event in events] == [0, 1, 2]
    assert len({event["eventId"] for event in events}) == 1
    assert simulator.delivery.tally.delivered == 1


async def test_silence_past_the_deadline_is_retried(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """A receiver that takes longer than the deadline gets the notification again."""

    async def dawdle(request: Received) -> int:
        if request.events[0]["attemptNumber"] == 0:
            await asyncio.sleep(0.3)
        return 204

    receiver.answer = dawdle
    simulator.turn(deadline_ms=50)
    create(account, 1)
    while simulator.delivery.pending:
        await asyncio.sleep(0.005)
        simulator.clock.move(3_600_000)
    assert [event["attemptNumber"] for event in receiver.events] == [0, 1]
    assert simulator.delivery.tally.statuses == {0: 1, 204: 1}


async def test_retries_end_within_a_day(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """Ten further attempts within 24 h, each later than the one before, then none."""
    came: list[int] = []

    async def refuse(_request: Received) -> int:
        came.append(simulator.clock.now_ms())
        return 500

    receiver.answer = refuse
    create(account, 1)
    begun = simulator.clock.now_ms()
    while simulator.delivery.pending:
        await asyncio.sleep(0.002)
        simulator.clock.move(60_000)
    assert len(came) == 11
    assert came == sorted(came)
    assert came[-1] - begun <= 86_400_000
    assert simulator.delivery.tally.given_up == 1


async def test_retried_batches_are_grouped_anew(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """A refused batch comes again in other company: parted, or together with newer ones."""

    async def refuse_first(request: Received) -> int:
        return 500 if all(event["attemptNumber"] == 0 for event in request.events) else 204

    receiver.answer = refuse_first
    simulator.turn(retry_span_ms=100_000)
    create(account, 60)
    await asyncio.sleep(0.05)
    create(account, 30)
    while simulator.delivery.pending:
        await asyncio.sleep(0.005)
        simulator.clock.move(1_000)
    firsts = [r for r in receiver.requests if r.events[0]["attemptNumber"] == 0]
    again = [r for r in receiver.requests if any(e["attemptNumber"] for e in r.events)]
    before = {frozenset(str(e["eventId"]) for e in request.events) for request in firsts}
    after = {frozenset(str(e["eventId"]) for e in request.events) for request in again}
    assert before != after
    assert frozenset().union(*before) == frozenset().union(*after)


async def test_shares_of_notifications_are_dropped_doubled_and_late(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """What was done to notifications is counted, and true of what arrives."""
    simulator.turn(drop_share=0.2, duplicate_share=0.3, late_share=0.5)
    create(account, 500)
    while simulator.delivery.pending:
        await asyncio.sleep(0.005)
        simulator.clock.move(100)
    tally, times = simulator.delivery.tally, Counter(e["eventId"] for e in receiver.events)
    assert tally.made == 500
    assert len(times) == 500 - tally.dropped
    assert sum(count == 2 for count in times.values()) == tally.doubled
    assert 50 < tally.dropped < 150
    assert 80 < tally.doubled < 220
    ids = [int(str(event["objectId"])) for event in receiver.events]
    assert ids != sorted(ids)


async def test_notifications_of_one_change_are_spread(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """With `spread_ms` a change is told over that time, not at once."""
    simulator.turn(spread_ms=1_000)
    account.create({"hs_call_title": "1", "hs_call_body": "2", "hs_call_status": "BUSY"})
    simulator.clock.move(1_000)
    await simulator.delivery.quiet()
    assert len(receiver.events) == 4
    assert len({event["occurredAt"] for event in receiver.events}) == 1


async def test_faults_choose_notifications(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """Notifications of a kind, an account or a record can be dropped, doubled and delayed."""
    first = account.create({"hs_call_title": "x"})
    await simulator.delivery.quiet()
    receiver.requests.clear()
    simulator.switchboard.set(
        Fault(effect="drop_notification", object_id=first.id, operation="object.propertyChange")
    )
    simulator.switchboard.set(Fault(effect="double_notification", operation="object.deletion"))
    account.update(first.id, {"hs_call_title": "y"})
    account.archive(first.id)
    while simulator.delivery.pending:
        await asyncio.sleep(0.005)
        simulator.clock.move(1_000)
    assert [e["subscriptionType"] for e in receiver.events] == ["object.deletion"] * 2
    assert simulator.switchboard.struck == {1: 1, 2: 1}


async def test_an_uninstalled_account_is_not_told(
    simulator: Simulator, account: Account, receiver: Receiver
) -> None:
    """After an uninstall nothing comes any more; what waited is gone."""
    simulator.turn(spread_ms=1_000)
    create(account, 5)
    simulator.app.uninstall(account.portal_id)
    create(account, 5)
    simulator.clock.move(1_000)
    await simulator.delivery.quiet()
    assert receiver.events == []
    simulator.app.install(account.portal_id)
    create(account, 1)
    simulator.clock.move(1_000)
    await simulator.delivery.quiet()
    assert len(receiver.events) == 1
