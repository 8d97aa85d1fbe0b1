"""A typed client of the control API, for tests and checkers in another process."""

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from tests.simulator.knobs import Knobs
from tests.simulator.messages import (
    AccountState,
    Archive,
    Associate,
    ChangePage,
    ClockState,
    Create,
    Deed,
    Deeds,
    Deliveries,
    Dissociate,
    Done,
    FaultState,
    Merge,
    Notify,
    Purge,
    Requests,
    Restore,
    TrueCall,
    TrueChange,
    TruthPage,
    Update,
    Usage,
)
from tests.simulator.orders import (
    AccountOrder,
    BulkOrder,
    ClockOrder,
    CrowdOrder,
    InstallOrder,
    KindsOrder,
    TargetOrder,
    TrafficOrder,
)
from tests.simulator.switchboard import Fault

T = TypeVar("T")


class ControlError(Exception):
    """The simulator refused an order: its status and what it says."""


class Control:
    """Orders for one simulator; `portal_id=None` means its first account everywhere."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/_control"
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        if self._session is None:
            message = "use `async with Control(url)`"
            raise ControlError(message)
        raw = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, self._url + path, data=raw) as answer:
            content = await answer.read()
            if answer.status >= 400:
                message = f"{method} {path}: {answer.status} {content.decode()[:500]}"
                raise ControlError(message)
            return msgspec.json.decode(content or b"null", type=kind)

    # Things that happen to calls.

    async def do(self, *deeds: Deed, portal_id: int | None = None) -> list[int]:
        """Do things in order, and return the call id of each."""
        return (await self._ask("POST", "/do", Done, Deeds([*deeds], portal_id))).ids

    async def create(
        self,
        properties: Mapping[str, str],
        associations: Mapping[str, Sequence[int]] | None = None,
        *,
        portal_id: int | None = None,
    ) -> int:
        """Log a call and return its id."""
        links = {kind: [*ids] for kind, ids in (associations or {}).items()}
        deed = Create(properties=dict(properties), associations=links)
        return (await self.do(deed, portal_id=portal_id))[0]

    async def update(
        self, call_id: int, properties: Mapping[str, str], *, portal_id: int | None = None
    ) -> None:
        """Set properties; an empty value clears one."""
        await self.do(Update(call_id, dict(properties)), portal_id=portal_id)

    async def associate(
        self, call_id: int, to_type: str, to_id: int, *, portal_id: int | None = None
    ) -> None:
        """Associate a call with a record."""
        await self.do(Associate(call_id, to_type, to_id), portal_id=portal_id)

    async def dissociate(
        self, call_id: int, to_type: str, to_id: int, *, portal_id: int | None = None
    ) -> None:
        """Remove an association."""
        await self.do(Dissociate(call_id, to_type, to_id), portal_id=portal_id)

    async def archive(self, call_id: int, *, portal_id: int | None = None) -> None:
        """Move a call to the recycle bin."""
        await self.do(Archive(call_id), portal_id=portal_id)

    async def restore(self, call_id: int, *, portal_id: int | None = None) -> None:
        """Take a call out of the recycle bin."""
        await self.do(Restore(call_id), portal_id=portal_id)

    async def purge(self, call_id: int, *, portal_id: int | None = None) -> None:
        """Remove a call for good."""
        await self.do(Purge(call_id), portal_id=portal_id)

    async def merge(
        self,
        call_id: int,
        *others: int,
        new_record: bool = False,
        portal_id: int | None = None,
    ) -> int:
        """Merge calls into one, and return the survivor's id."""
        deed = Merge(call_id, [*others], new_record)
        return (await self.do(deed, portal_id=portal_id))[0]

    async def notify(
        self,
        fields: Mapping[str, str | int | bool | list[int] | None] | None = None,
        *,
        test_button: bool = False,
        portal_id: int | None = None,
    ) -> None:
        """Send a notification that no change caused: an unknown kind, the Test button's event."""
        await self.do(Notify(dict(fields or {}), test_button), portal_id=portal_id)

    # Life.

    async def traffic(
        self, rate: float, *, portal_id: int | None = None, office_hours: bool = False
    ) -> None:
        """Let so many changes happen per second; 0 stops."""
        order = TrafficOrder(rate, portal_id, office_hours)
        await self._ask("POST", "/traffic", object, order)

    async def bulk(self, count: int, *, portal_id: int | None = None, told: bool = False) -> None:
        """Log so many calls in the past, untold; with `told` import them now."""
        await self._ask("POST", "/bulk", object, BulkOrder(count, portal_id, told))

    async def crowd(self, accounts: int, calls: int = 0, rate: float = 0) -> list[AccountState]:
        """Open many accounts of uneven size, which share calls and changes per second."""
        order = CrowdOrder(accounts, calls, rate)
        return await self._ask("POST", "/crowd", list[AccountState], order)

    async def quiet(self, timeout_s: float = 30) -> None:
        """Return once every notification was delivered or given up."""
        await self._ask("POST", f"/quiet?timeout={timeout_s}", object)

    async def clock(
        self,
        *,
        move_ms: int = 0,
        set_ms: int | None = None,
        freeze: bool = False,
        resume: bool = False,
    ) -> ClockState:
        """Move the clock, or only read it."""
        order = ClockOrder(move_ms, set_ms, freeze, resume)
        return await self._ask("POST", "/clock", ClockState, order)

    # What is true, and what happened.

    async def truth(self, portal_id: int) -> dict[str, TrueCall]:
        """Return every call that ever was in an account, by id."""
        calls: dict[str, TrueCall] = {}
        after: int | None = 0
        while after is not None:
            path = f"/truth/{portal_id}?limit=5000&after={after}"
            page = await self._ask("GET", path, TruthPage)
            calls |= {call.id: call for call in page.calls}
            after = page.after
        return calls

    async def changes(self, portal_id: int, since: int = 0) -> list[TrueChange]:
        """Return every change of an account from an index on, in order."""
        found: list[TrueChange] = []
        after: int | None = since
        while after is not None:
            path = f"/changes/{portal_id}?limit=5000&after={after}"
            page = await self._ask("GET", path, ChangePage)
            found += page.changes
            after = page.after
        return found

    async def requests(self) -> Requests:
        """Return what was asked of the API."""
        return await self._ask("GET", "/requests", Requests)

    async def deliveries(self) -> Deliveries:
        """Return what became of notifications."""
        return await self._ask("GET", "/deliveries", Deliveries)

    async def reset_counts(self) -> None:
        """Count requests and deliveries anew."""
        await self._ask("DELETE", "/counts", object)

    async def usage(self) -> Usage:
        """Return what the simulator's process has used."""
        return await self._ask("GET", "/usage", Usage)

    # How it behaves.

    async def turn(self, **knobs: float | str | bool | None) -> Knobs:
        """Turn knobs by name, and return all of them."""
        return await self._ask("PATCH", "/knobs", Knobs, knobs)

    async def fault(self, fault: Fault) -> int:
        """Set a fault and return its id."""
        return await self._ask("POST", "/faults", int, fault)

    async def clear_faults(self, fault_id: int | None = None) -> None:
        """Take one fault away, or all."""
        suffix = "" if fault_id is None else f"/{fault_id}"
        await self._ask("DELETE", f"/faults{suffix}", object)

    async def faults(self) -> FaultState:
        """Return how often faults struck."""
        return await self._ask("GET", "/faults", FaultState)

    async def target(self, url: str, secret: str = "") -> None:
        """Send notifications elsewhere; an empty URL stops them."""
        await self._ask("PUT", "/target", object, TargetOrder(url, secret))

    async def install(self, *, installed: bool = True, portal_id: int | None = None) -> None:
        """Let an account install or uninstall the webhook app."""
        await self._ask("POST", "/install", object, InstallOrder(installed, portal_id))

    async def kinds(
        self, *kinds: str, refused: Collection[str] = (), portal_id: int | None = None
    ) -> None:
        """Say what an account's calls can be associated with, and what tokens may not read."""
        order = KindsOrder([*kinds], [*refused], portal_id)
        await self._ask("POST", "/kinds", object, order)

    async def open_account(
        self, portal_id: int, token: str = "", *, installed: bool = True, time_zone: str = ""
    ) -> AccountState:
        """Open an account, or find it."""
        order = AccountOrder(portal_id, token, installed, time_zone)
        return await self._ask("POST", "/accounts", AccountState, order)

    async def accounts(self) -> list[AccountState]:
        """Return every account."""
        return await self._ask("GET", "/accounts", list[AccountState])
