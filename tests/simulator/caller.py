"""Who asks: the account of the token, and what faults do to the answer."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from litestar import Request
from litestar.datastructures import State

from tests.simulator.answers import HubSpotError
from tests.simulator.faulty import fault_error
from tests.simulator.limits import Family
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call
from tests.simulator.model.world import Grant
from tests.simulator.switchboard import Asked, Fault

if TYPE_CHECKING:
    from tests.simulator.simulator import Simulator

HubSpotRequest = Request[None, None, State]

NO_TOKEN = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
    "can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)


class Caller:
    """Who asks, for which account, and what the faults do to the answer."""

    def __init__(
        self, simulator: "Simulator", operation: str, family: Family, params: Mapping[str, str]
    ) -> None:
        self.simulator = simulator
        self.params = params
        """The variable parts of the path."""
        self.operation = operation
        self.family: Family = family
        self.came_at = simulator.clock.now_ms()
        self.grant: Grant | None = None
        self.faults: list[Fault] = []
        self.cut = False

    @property
    def version(self) -> str:
        """The version in the path."""
        return self.params.get("version", "")

    @property
    def account(self) -> Account:
        """The account that the token belongs to.

        Raises:
            HubSpotError: 401, the token belongs to none.
        """
        portal_id = self.grant.portal_id if self.grant else None
        account = self.simulator.world.accounts.get(portal_id or 0)
        if account is None:
            raise HubSpotError(401, "INVALID_AUTHENTICATION", NO_TOKEN)
        return account

    def seen(self, call: Call) -> Call:
        """Return the call as this request sees it: now, or under a `stale` fault as it was."""
        call.read_at = self.came_at
        for fault in self.faults:
            if fault.effect == "stale" and fault.object_id in (None, call.id):
                return call.before(fault.steps)
        return call

    async def strike(self, object_ids: frozenset[int] | None = None) -> None:
        """Let faults strike that need no record, or those that wait for one of these records.

        Raises:
            HubSpotError: a fault is the answer, or the connection is to be cut.
        """
        board = self.simulator.switchboard
        if not board.faults:
            return
        portal_id = self.grant.portal_id if self.grant else None
        struck = board.strike(Asked(self.operation, portal_id, self.came_at), object_ids)
        self.faults += struck
        for fault in struck:
            await self._suffer(fault)

    async def _suffer(self, fault: Fault) -> None:
        match fault.effect:
            case "delay":
                await asyncio.sleep(fault.delay_ms / 1000)
            case "hang":
                await asyncio.get_running_loop().create_future()
            case "cut":
                self.cut = True
                raise HubSpotError(500, "CUT", "cut")
            case "status":
                raise fault_error(fault)
            case _:
                pass


def caller_of(request: HubSpotRequest) -> Caller:
    """Return who asks."""
    return cast("Caller", request.scope["state"]["caller"])
