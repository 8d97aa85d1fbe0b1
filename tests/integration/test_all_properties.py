"""`CALL_PROPERTIES=*` end to end: every property of the account, few or many, as they change."""

import dataclasses
from collections.abc import Sequence

import aiohttp
import msgspec
import pytest

from jobs.context import Context
from jobs.hubspot.listings import TTL_S
from jobs.live.reread import reread_calls
from jobs.redis import command
from jobs.stream.discovery import Discovery
from tests.simulator.control import Control
from tests.simulator.model.properties import DEFINITIONS
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.desk import Desk

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}
LONG = "_of_a_rather_thorough_questionnaire_after_the_call"


class Everything:
    """A worker that reads all properties of an account, whose definitions change."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.now = 0.0
        self._url = f"{url}/crm/properties/2026-03/calls"
        context = desk.context
        settings = msgspec.structs.replace(context.settings, call_properties=("*",))
        desk.context = dataclasses.replace(
            context, settings=settings, discovery=self._discovery(context)
        )

    def _discovery(self, context: Context) -> Discovery:
        return Discovery(context.hubspot, context.projections, clock=lambda: self.now)

    async def define(self, *names: str) -> None:
        """Let the account define properties."""
        inputs = [
            {"name": name, "label": name, "type": "string", "fieldType": "text"}
            | {"groupName": "call"}
            for name in names
        ]
        await self._ask("POST", "/batch/create", {"inputs": inputs})

    async def archive(self, name: str) -> None:
        """Let the account archive a property."""
        await self._ask("DELETE", f"/{name}")

    async def _ask(self, method: str, path: str, body: object = None) -> None:
        token = await self.desk.context.accounts.token(self.desk.portal_id)
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self._url + path, json=body, headers=headers) as response,
        ):
            response.raise_for_status()

    async def an_hour_later(self) -> None:
        """Let the list be stale, and do what a new one brings: read the known calls again."""
        self.now += TTL_S
        desk = self.desk
        projection = await desk.context.projection(desk.portal_id)
        if projection.fresh:
            await reread_calls(desk.context, desk.portal_id, projection.generation)
        await desk.fetch()

    async def properties(self) -> dict[str, str | None]:
        """Return the properties of the last event."""
        call = (await self.desk.last()).data.call
        assert call is not None
        return dict(call.properties)


@pytest.fixture
def everything(desk: Desk, simulator: Running) -> Everything:
    """A worker with `CALL_PROPERTIES=*`."""
    return Everything(desk, simulator.url)


async def test_everything_is_read(everything: Everything, control: Control) -> None:
    """HubSpot's own properties and the account's are in the event, null where unset."""
    desk = everything.desk
    await everything.define("our_score")
    call_id = await control.create({**TITLE, "our_score": "7"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)

    found = await everything.properties()
    assert found.keys() == {*DEFINITIONS, "our_score"}
    assert found["our_score"] == "7"
    assert found["hs_call_body"] is None
    assert found["hs_lastmodifieddate"] is not None


async def test_a_touched_call_is_no_news(everything: Everything, control: Control) -> None:
    """The time of the last change is read and published, but alone makes no event."""
    desk = everything.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await control.update(call_id, {"hs_call_title": "Other"}, portal_id=desk.portal_id)
    await control.update(call_id, TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)

    assert await desk.types() == ["created"]


async def test_a_new_property_reaches_known_calls(everything: Everything, control: Control) -> None:
    """What the account defines later begins a new generation, and known calls are read again."""
    desk = everything.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await everything.define("our_score")
    await control.update(call_id, {"our_score": "7"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]

    await everything.an_hour_later()
    assert await desk.types() == ["created", "updated"]
    assert (await everything.properties())["our_score"] == "7"
    assert (await desk.context.projection(desk.portal_id)).generation == 2


async def test_an_archived_property_leaves(everything: Everything, control: Control) -> None:
    """What the account archives is no longer in the events, those of known calls included."""
    desk = everything.desk
    await everything.define("our_score")
    call_id = await control.create({**TITLE, "our_score": "7"}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await everything.archive("our_score")
    await everything.an_hour_later()

    assert await desk.types() == ["created", "updated"]
    assert "our_score" not in await everything.properties()
    assert (await desk.context.projection(desk.portal_id)).generation == 2


async def test_an_unchanged_list_asks_for_nothing(everything: Everything, control: Control) -> None:
    """An hour later the list is the same: no new generation, no reading of known calls."""
    desk = everything.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await desk.context.projections.marked(desk.portal_id, 1)
    await everything.an_hour_later()

    assert (await desk.context.projection(desk.portal_id)).generation == 1
    counts = (await control.requests()).accounts[desk.portal_id]
    assert counts.by_operation["properties.list"] == 2
    assert counts.object_reads == 1


async def test_hundreds_of_properties(everything: Everything, control: Control) -> None:
    """Four hundred properties with long names are read, too many for a URL as they are."""
    desk = everything.desk
    names = [f"answer_{number:03}{LONG}" for number in range(400)]
    await _define_in_batches(everything, names)
    call_id = await control.create(TITLE | dict.fromkeys(names, "yes"), portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)

    found = await everything.properties()
    assert [name for name in names if found[name] != "yes"] == []
    projection = await desk.context.projection(desk.portal_id)
    read = await desk.context.hubspot.read_call(desk.portal_id, str(call_id), projection.properties)
    assert read.call is not None
    assert read.call.properties[names[-1]] == "yes"
    missing = await desk.context.hubspot.read_call(desk.portal_id, "123", projection.properties)
    assert missing.call is None


async def _define_in_batches(everything: Everything, names: Sequence[str]) -> None:
    for start in range(0, len(names), 100):
        await everything.define(*names[start : start + 100])


async def test_an_account_that_lists_nothing_sleeps(
    everything: Everything, control: Control
) -> None:
    """Where HubSpot never listed the properties the calls wait, and are read once it does."""
    desk = everything.desk
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await control.fault(Fault(effect="status", status=403, operation="properties.list"))
    await desk.fetch_marked(call_id)

    assert await desk.events() == []
    assert await desk.waits_ms(call_id) is not None
    room = f"{desk.context.settings.namespace}:ledger:{desk.portal_id}"
    assert await command(desk.redis, "HGET", room, "why") == b"forbidden"
    await control.clear_faults()
    everything.now += TTL_S
    await desk.context.ledger.wake(desk.portal_id)
    await desk.fetch()
    assert await desk.types() == ["created"]


async def test_every_page_of_associations(desk: Desk, control: Control) -> None:
    """A call with more associations than a page holds has all of them in its event."""
    knobs = await control.turn()
    await control.turn(association_page=2)
    contacts = list(range(101, 108))
    call_id = await control.create(
        TITLE, {"contacts": contacts, "companies": [7]}, portal_id=desk.portal_id
    )
    await desk.fetch_marked(call_id)
    await control.turn(association_page=knobs.association_page)

    call = (await desk.last()).data.call
    assert call is not None
    assert call.associations == {"contacts": tuple(map(str, contacts)), "companies": ("7",)}
    counts = (await control.requests()).accounts[desk.portal_id]
    assert counts.association_reads == 5
