"""The Webhooks Journal: what it brings back, where it goes on, and what it never loses."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from yarl import URL

from jobs.hubspot.errors import PortalFailure
from jobs.hubspot.transport import open_session
from jobs.journal import reader
from jobs.journal.api import Pointer
from jobs.journal.entries import MALFORMED, decode
from jobs.journal.files import BadFileError, Files
from jobs.journal.place import Place
from jobs.journal.reader import BAD_FILE, FILE_ATTEMPTS
from jobs.journal.task import read_forever
from jobs.ledger.deadletters import DeadLetter
from jobs.ledger.hints import Hint
from jobs.ledger.messages import Bell, Mark
from jobs.redis import command
from jobs.timing import Timing
from tests.simulator.messages import Create
from tests.simulator.switchboard import Fault
from tests.support.journal import Reading, reading
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

DAY_MS = 86_400_000
TITLE = {"hs_call_title": "Discovery Call"}


@pytest.fixture
async def told(redis: Redis, redis_url: str, namespace: str) -> AsyncIterator[Reading]:
    """A connected account whose journal is caught up."""
    async with reading(redis, redis_url, namespace) as made:
        yield made


async def test_an_outage_of_our_own_loses_nothing(told: Reading) -> None:
    """All that happened in three days is on the stream afterwards, and nothing was searched."""
    hubspot = told.hubspot
    kept = await hubspot.do(*[Create(properties=TITLE) for _ in range(30)])
    await told.publish()
    await told.read()
    await told.settle()
    await told.reader.leave()
    new = await hubspot.do(*[Create(properties=TITLE) for _ in range(10)])
    await hubspot.clock(move_ms=DAY_MS)
    for call_id in kept[:5]:
        await hubspot.update(call_id, {"hs_call_title": "Changed"})
    await hubspot.archive(kept[5])
    await hubspot.associate(kept[6], "contacts", 101)
    await hubspot.clock(move_ms=DAY_MS)
    await hubspot.archive(kept[7])
    await hubspot.restore(kept[7])
    await hubspot.merge(kept[8], kept[9], new_record=False)
    await hubspot.purge(kept[10])
    await told.erase(kept[11])
    await hubspot.clock(move_ms=DAY_MS - 60_000)

    assert "read" in await told.read()
    await told.settle()
    truth = await hubspot.truth(told.desk.portal_id)
    states = await told.states()
    assert states.keys() == truth.keys()
    assert {str(call_id) for call_id in new} < states.keys()
    for name, call in truth.items():
        state, title = states[name]
        assert (state == "live") is (call.state == "live"), name
        if call.state == "live":
            assert title == call.properties["hs_call_title"]
    last = {event.data.call_id: event for event in await told.desk.events()}
    linked = last[str(kept[6])].data.call
    assert linked is not None
    assert list(linked.associations["contacts"]) == ["101"]
    assert {event.data.origin for event in last.values()} == {"journal"}
    assert last[str(kept[9])].data.merged_into == str(kept[8])
    assert await told.searches() == 0


async def test_a_privacy_deletion_leaves_no_state(told: Reading) -> None:
    """A call that was deleted for privacy is published as deleted, with nothing of it."""
    call_id = await told.hubspot.create(TITLE)
    await told.publish()
    await told.read()
    await told.settle()
    await told.erase(call_id)
    await told.publish()
    await told.read()
    await told.settle()
    last = await told.desk.last()
    assert (last.type, last.data.call) == ("callstream.call.deleted", None)
    assert "privacyDeletion" in {change.kind for change in last.data.changes}


async def test_events_name_the_journal_whatever_they_show(told: Reading) -> None:
    """A call that has changed again since the entry was made is published from the journal, too."""
    call_id = await told.hubspot.create(TITLE)
    await told.desk.fetch_marked(call_id, Hint("deletion", 1, origin="journal"))
    last = await told.desk.last()
    assert (last.data.origin, last.data.changes) == ("journal", ())


async def test_one_worker_reads(told: Reading) -> None:
    """While one worker reads no other does; one that leaves makes room at once."""
    other = told.another_reader("second")
    assert await other.step() == "elsewhere"
    await told.reader.leave()
    assert await other.step() == "caught_up"
    assert await told.reader.step() == "elsewhere"


async def test_a_killed_reader_is_followed(told: Reading, redis: Redis) -> None:
    """A reader that ends without a word after marking is followed from the file it was at."""
    place = told.journal.place
    quick = Place(
        redis,
        told.context.settings.namespace,
        Timing(journal_lease_ms=1),
        told.running.journal_client_id,
    )
    await told.hubspot.create(TITLE)
    await told.publish()
    before = await place.hold("first")
    assert before == ""
    pointer = await told.journal.api.following("")
    assert pointer is not None
    contents = decode(await told.journal.files.fetch(pointer.url))
    await told.context.ledger.mark(contents.marks)  # and then it is gone
    await quick.hold("first")
    other = told.another_reader("second")

    async def has_followed() -> bool:
        return await other.step() == "read"

    await until(has_followed)
    assert await other.step() == "caught_up"
    assert await place.hold("second") == pointer.current_offset
    await told.settle()
    assert len(await told.desk.events()) == 1


async def test_the_offset_moves_from_where_it_was_only(told: Reading) -> None:
    """Of two readers at one file one moves on; the other one's word has no effect."""
    place = told.journal.place
    assert await place.move("", "one")
    assert not await place.move("", "other")
    assert await place.hold("first") == "one"
    assert await place.move("one", "")
    assert await place.hold("first") == ""


async def test_marks_come_before_the_offset(told: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """An offset that cannot be moved leaves the calls marked, and the file is read again."""
    await told.hubspot.create(TITLE)
    await told.publish()
    move = told.journal.place.move

    async def fail(_before: str, _after: str, *, published_at: int = 0) -> bool:
        del published_at
        raise ConnectionError

    monkeypatch.setattr(told.journal.place, "move", fail)
    with pytest.raises(ConnectionError):
        await told.reader.step()
    await told.settle()
    assert len(await told.desk.events()) == 1
    monkeypatch.setattr(told.journal.place, "move", move)
    assert await told.read() == ["read", "caught_up"]
    await told.settle()
    assert len(await told.desk.events()) == 1


async def test_marks_that_fail_leave_the_offset(
    told: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of which some calls could not be marked is read again as a whole."""
    monkeypatch.setattr(reader, "CHUNK", 2)
    await told.hubspot.do(*[Create(properties=TITLE)] * 5)
    await told.publish()
    mark, chunks = told.context.ledger.mark, list[int]()

    async def fail(marks: Sequence[Mark], letters: Sequence[DeadLetter] = ()) -> list[Bell]:
        chunks.append(len(marks))
        if len(chunks) == 2:
            raise ConnectionError
        return await mark(marks, letters)

    monkeypatch.setattr(told.context.ledger, "mark", fail)
    with pytest.raises(ConnectionError):
        await told.reader.step()
    place = await told.journal.place.look()
    assert (place.offset, place.files) == ("", 0)
    assert await told.read() == ["read", "caught_up"]
    assert chunks == [2, 2, 2, 2, 1]
    place = await told.journal.place.look()
    assert place.files == 1
    assert place.offset


@pytest.mark.parametrize("status", [404, 410])
async def test_an_offset_that_is_gone_is_a_gap(told: Reading, status: int) -> None:
    """Not found and gone are the same of an offset; without one they are a wrong path."""
    await told.hubspot.create(TITLE)
    await told.publish()
    await told.read()
    await told.hubspot.fault(Fault(effect="status", status=status, operation="journal.*", times=2))
    assert await told.reader.step() == "gap"
    with pytest.raises(PortalFailure) as caught:
        await told.reader.step()
    assert caught.value.kind == "no_such_path"
    place = await told.journal.place.look()
    assert (place.offset, place.gaps) == ("", 1)
    assert await told.read() == ["read", "caught_up"]


async def test_an_empty_answer_is_the_end(told: Reading) -> None:
    """204 says that nothing is left to read: it is noted, and asked again from the same place."""
    await told.hubspot.create(TITLE)
    await told.publish()
    await told.read()
    before = await told.journal.place.look()
    empty = Fault(effect="status", status=204, body="", operation="journal.next", times=2)
    await told.hubspot.fault(empty)
    assert await told.read() == ["caught_up"]
    after = await told.journal.place.look()
    assert (after.offset, after.files) == (before.offset, before.files)
    assert (after.caught_up_at or 0) >= (before.caught_up_at or 0) > 0


async def test_a_gap_is_reconciled(told: Reading) -> None:
    """An offset older than the journal asks for a round of every account, and reading goes on."""
    for _ in range(2):
        await told.hubspot.create(TITLE)
        await told.publish()
    assert await told.reader.step() == "read"
    await told.hubspot.clock(move_ms=4 * DAY_MS)
    for _ in range(2):
        await told.hubspot.create(TITLE)
        await told.publish()
    assert await told.read() == ["gap", "read", "read", "caught_up"]
    asked = (await told.context.reconciliations.standing(told.desk.portal_id)).asked
    assert asked is not None
    assert asked.full


async def test_an_uninstall_closes_the_account(told: Reading) -> None:
    """An account whose token HubSpot refuses after its uninstall is read no more."""
    portal_id = told.desk.portal_id
    await told.hubspot.fault(Fault(effect="status", status=401, operation="account.*"))
    await told.hubspot.install(installed=False, portal_id=portal_id)
    await told.publish()
    assert "read" in await told.read()
    door = await told.context.ledger.door(portal_id)
    assert (door.open, door.why) == (False, "the app was uninstalled")
    await told.resubscribe()
    listed = await told.journal.api.subscriptions()
    assert len(listed) == 2  # the app's life cycle; those of the account are gone


async def test_an_uninstall_of_another_app_closes_nothing(told: Reading) -> None:
    """While HubSpot takes the account's token, an uninstall is only noted; so is an install."""
    portal_id = told.desk.portal_id
    await told.hubspot.install(installed=False, portal_id=portal_id)
    await told.hubspot.open_account(777)
    await told.publish()
    assert "read" in await told.read()
    assert (await told.context.ledger.door(portal_id)).open
    assert not (await told.context.ledger.door(777)).open


async def test_subscriptions_are_kept_in_order(told: Reading) -> None:
    """What is missing is made again, under the properties that are read; nothing is made twice."""
    api = told.journal.api
    before = await api.subscriptions()
    assert len(before) == 5
    calls = next(one for one in before if one.properties)
    assert calls.properties == ["hs_call_body", "hs_call_title"]
    await api.unsubscribe(calls.id)
    await told.resubscribe()
    after = await api.subscriptions()
    assert len(after) == 5
    await told.resubscribe()
    assert [one.id for one in after] == [one.id for one in await api.subscriptions()]


async def test_a_refused_subscription_keeps_no_other_back(told: Reading) -> None:
    """What HubSpot refuses for one account is left out, and tried again the next time."""
    api = told.journal.api
    for one in await api.subscriptions():
        await api.unsubscribe(one.id)
    refuse = Fault(effect="status", status=403, operation="journal.subscribe", times=1)
    await told.hubspot.fault(refuse)
    await told.resubscribe()
    assert len(await api.subscriptions()) == 4
    await told.resubscribe()
    assert len(await api.subscriptions()) == 5


async def test_a_token_that_ended_is_asked_for_anew(told: Reading) -> None:
    """The token's end, here by HubSpot's clock alone, goes unnoticed."""
    await told.hubspot.clock(move_ms=3_600_000)
    await told.hubspot.create(TITLE)
    await told.publish()
    assert await told.read() == ["read", "caught_up"]


async def test_a_bad_file_is_set_aside(told: Reading) -> None:
    """A file that stays of no use becomes a dead letter, a round is asked for, reading goes on."""
    await told.hubspot.create(TITLE)
    await told.publish()
    await told.hubspot.fault(Fault(effect="corrupt", operation="journal.file"))
    for _ in range(FILE_ATTEMPTS - 1):
        with pytest.raises(PortalFailure):
            await told.reader.step()
    assert await told.reader.step() == "set_aside"
    (letter,) = await told.desk.dead()
    assert (letter[b"reason"], letter[b"origin"]) == (BAD_FILE.encode(), b"journal")
    assert (await told.context.reconciliations.standing(told.desk.portal_id)).asked is not None
    assert await told.reader.step() == "caught_up"


async def test_a_bad_entry_is_set_aside(told: Reading) -> None:
    """An entry of no use becomes a dead letter; the file's others are marked."""
    bad = {"action": "CREATE", "objectTypeId": "0-48", "objectId": 5}
    good = bad | {"portalId": told.desk.portal_id, "objectId": await told.hubspot.create(TITLE)}
    await told.publish()
    body = msgspec.json.encode({"offset": "x", "journalEvents": [bad, good]}).decode()
    fault = Fault(effect="status", status=200, operation="journal.file", body=body)
    await told.hubspot.fault(fault)
    assert await told.read() == ["read", "caught_up"]
    (letter,) = await told.desk.dead()
    assert letter[b"reason"] == MALFORMED.encode()
    await told.settle()
    assert len(await told.desk.events()) == 1


async def test_a_file_elsewhere_is_refused(told: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL on another host is not asked for: it is set aside like any file of no use."""
    await told.hubspot.create(TITLE)
    await told.publish()

    async def elsewhere(offset: str) -> Pointer | None:
        return None if offset else Pointer("https://files.example.com/secret?sign=x", "one")

    monkeypatch.setattr(told.journal.api, "following", elsewhere)
    for _ in range(FILE_ATTEMPTS - 1):
        with pytest.raises(PortalFailure, match="host"):
            await told.reader.step()
    assert await told.read() == ["set_aside", "caught_up"]
    (letter,) = await told.desk.dead()
    assert b"example.com" not in b"".join(letter.values())


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://journal.s3.amazonaws.com/a?X-Amz-Signature=b", True),
        ("https://s3.us-east-1.amazonaws.com/journal/a", True),
        ("https://journal.s3.us-east-1.amazonaws.com/a", True),
        ("https://files.hubspot.com/a", True),
        ("http://127.0.0.1:8020/_journal/a.json", True),
        ("http://journal.s3.amazonaws.com/a", False),
        ("https://journal.s3.amazonaws.com:8443/a", False),
        ("https://user@journal.s3.amazonaws.com/a", False),
        ("https://s3.amazonaws.com.example.com/a", False),
        ("https://ec2.amazonaws.com/a", False),
        ("https://nothubspot.com/a", False),
        ("http://127.0.0.1:8021/a", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("ftp://files.hubspot.com/a", False),
        ("/a", False),
    ],
)
async def test_files_come_from_hubspot_only(url: str, allowed: bool) -> None:  # noqa: FBT001
    """Signed URLs lead to S3 or to HubSpot, by https; the API's own origin may be anything."""
    async with open_session() as session:
        files = Files(session, "http://127.0.0.1:8020", Timing())
        assert files.allows(URL(url)) is allowed
        if not allowed:
            with pytest.raises(BadFileError):
                await files.fetch(url)


async def test_a_long_file_is_not_read(told: Reading) -> None:
    """A file beyond the limit is left where it is."""
    await told.hubspot.create({"hs_call_body": "x" * 5_000})
    await told.publish()
    pointer = await told.journal.api.following("")
    assert pointer is not None
    async with open_session() as session:
        files = Files(session, told.running.url, Timing(), max_file=100)
        with pytest.raises(BadFileError, match="longer"):
            await files.fetch(pointer.url)


async def test_a_worker_reads_by_itself(told: Reading) -> None:
    """The workers' task goes on through failures and files, and makes room when it is ended."""
    await told.reader.leave()
    await told.hubspot.fault(Fault(effect="status", status=503, operation="journal.*", times=2))
    quick = replace(told.context.timing, portal_backoff_first_ms=5, journal_poll_ms=5)
    context = dataclasses.replace(told.context, timing=quick)
    task = asyncio.create_task(read_forever(context, "worker"))
    try:
        call_id = await told.hubspot.create(TITLE)
        await told.publish()

        async def has_moved() -> bool:
            key = told.journal.place.key
            return await command(told.desk.redis, "HEXISTS", key, "offset") == 1

        await until(has_moved)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await told.desk.waits_ms(call_id) is not None
    assert await told.reader.step() == "caught_up"


async def test_without_an_app_nothing_is_read(told: Reading) -> None:
    """A deployment whose settings name no app for the journal asks for nothing."""
    context = dataclasses.replace(told.context, journal=None)
    async with asyncio.timeout(5):
        await read_forever(context, "worker")
