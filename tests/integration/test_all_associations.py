"""`CALL_ASSOCIATIONS=*` end to end: every kind that an account has, as they come and go."""

import dataclasses
from collections.abc import Mapping

import msgspec
import pytest

from jobs.hubspot.listings import TTL_S
from jobs.ledger.hints import Hint
from jobs.live.reread import reread_calls
from jobs.stream.kinds import Kinds
from tests.simulator.control import Control
from tests.simulator.switchboard import Fault
from tests.support.desk import Desk

pytestmark = pytest.mark.one_redis

TITLE = {"hs_call_title": "Discovery Call"}
USUAL = ("contacts", "companies", "deals", "tickets")
VEHICLES = "2-3453932"


class Everything:
    """A worker that reads all associations of an account, whose kinds change."""

    def __init__(self, desk: Desk, control: Control) -> None:
        self.desk = desk
        self.now = 0.0
        self._control = control
        context = desk.context
        settings = msgspec.structs.replace(context.settings, call_associations=("*",))
        kinds = Kinds(context.hubspot, context.projections, clock=lambda: self.now)
        desk.context = dataclasses.replace(context, settings=settings, kinds=kinds)

    async def have(self, *kinds: str, refused: tuple[str, ...] = ()) -> None:
        """Let the account's calls be associated with these kinds."""
        await self._control.kinds(*kinds, refused=refused, portal_id=self.desk.portal_id)

    async def an_hour_later(self) -> None:
        """Let the list be stale, and do what a new one brings: read the known calls again."""
        self.now += TTL_S
        desk = self.desk
        projection = await desk.context.projection(desk.portal_id)
        if projection.fresh:
            await reread_calls(desk.context, desk.portal_id, projection.generation)
        await desk.fetch()

    async def associations(self) -> Mapping[str, tuple[str, ...]]:
        """Return the associations of the last event."""
        call = (await self.desk.last()).data.call
        assert call is not None
        return {kind: tuple(ids) for kind, ids in call.associations.items()}


@pytest.fixture
def everything(desk: Desk, control: Control) -> Everything:
    """A worker with `CALL_ASSOCIATIONS=*`."""
    return Everything(desk, control)


async def test_everything_is_read(everything: Everything, control: Control) -> None:
    """HubSpot's own types and the account's custom objects are in the event, by name and by id."""
    desk = everything.desk
    await everything.have(*USUAL, "leads", "vehicles")
    linked = {"contacts": [101], "tickets": [9], "leads": [7, 5], "vehicles": [3]}
    call_id = await control.create(TITLE, linked, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)

    assert await everything.associations() == {
        "contacts": ("101",),
        "tickets": ("9",),
        "leads": ("5", "7"),
        VEHICLES: ("3",),
    }


async def test_a_new_kind_reaches_known_calls(everything: Everything, control: Control) -> None:
    """What the account gets later begins a new generation, and known calls are read again."""
    desk = everything.desk
    await everything.have("contacts")
    call_id = await control.create(TITLE, {"contacts": [101]}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await everything.have("contacts", "vehicles")
    await control.associate(call_id, "vehicles", 3, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await desk.types() == ["created"]

    await everything.an_hour_later()
    assert await desk.types() == ["created", "updated"]
    assert await everything.associations() == {"contacts": ("101",), VEHICLES: ("3",)}
    assert (await desk.context.projection(desk.portal_id)).generation == 2


async def test_a_kind_that_may_not_be_read(everything: Everything, control: Control) -> None:
    """A kind that the token may not read is left out; the others and the calls are read."""
    desk = everything.desk
    await everything.have(*USUAL, "leads", refused=("leads", "deals"))
    linked = {"contacts": [101], "deals": [4], "leads": [5]}
    call_id = await control.create(TITLE, linked, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await everything.associations() == {"contacts": ("101",)}


async def test_a_kind_that_may_be_read_no_longer(everything: Everything, control: Control) -> None:
    """A kind whose scope is taken away stops the account for an hour at most, not for good."""
    desk = everything.desk
    await everything.have("contacts", "leads")
    call_id = await control.create(TITLE, {"leads": [5]}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await everything.have("contacts", "leads", refused=("leads",))
    await desk.fetch_marked(call_id, Hint("propertyChange", 1))
    assert await desk.waits_ms(call_id) is not None
    await desk.context.ledger.wake(desk.portal_id)
    await everything.an_hour_later()
    assert await everything.associations() == {}
    assert await desk.types() == ["created", "updated"]


async def test_a_token_that_may_not_see_the_schema(
    everything: Everything, control: Control
) -> None:
    """Where the schema of calls is refused, HubSpot's own kinds are read all the same."""
    desk = everything.desk
    await everything.have("contacts", "leads", "vehicles")
    await control.fault(
        Fault(effect="status", status=403, operation="schemas.get", portal_id=desk.portal_id)
    )
    linked = {"contacts": [101], "leads": [5], "vehicles": [3]}
    call_id = await control.create(TITLE, linked, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await everything.associations() == {"contacts": ("101",), "leads": ("5",)}


async def test_an_unchanged_list_asks_for_nothing(everything: Everything, control: Control) -> None:
    """An hour later the kinds are the same: no new generation, no reading of known calls."""
    desk = everything.desk
    await everything.have("contacts", "vehicles")
    call_id = await control.create(TITLE, {"vehicles": [3]}, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    await desk.context.projections.marked(desk.portal_id, 1)
    await everything.an_hour_later()

    assert (await desk.context.projection(desk.portal_id)).generation == 1
    counts = (await control.requests()).accounts[desk.portal_id]
    assert counts.by_operation["schemas.get"] == 2
    assert counts.object_reads == 1


async def test_a_lagging_association_is_waited_for(
    everything: Everything, control: Control
) -> None:
    """A notification of an association of any kind keeps its mark until a read shows it."""
    desk = everything.desk
    await everything.have("contacts", "leads")
    call_id = await control.create(TITLE, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id, Hint("associationChange", 1, target="0-136:5"))
    assert await desk.waits_ms(call_id) is not None
    await control.associate(call_id, "leads", 5, portal_id=desk.portal_id)
    await desk.fetch_marked(call_id)
    assert await everything.associations() == {"leads": ("5",)}
