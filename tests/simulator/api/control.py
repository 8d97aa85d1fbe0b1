"""The control API under `/_control`: make things happen, and read what happened."""

import asyncio

from litestar import Response, Router, delete, get, post
from litestar.di import Provide
from litestar.params import FromPath

from tests.simulator.answers import HubSpotError, answer, nothing
from tests.simulator.api.control_settings import SETTINGS, Here, body_of
from tests.simulator.api.reading import Query
from tests.simulator.caller import HubSpotRequest
from tests.simulator.deeds import do
from tests.simulator.messages import (
    AccountState,
    Deeds,
    Deliveries,
    Done,
    Requests,
)
from tests.simulator.model.account import Account, NoSuchCallError
from tests.simulator.model.kinds import FROM_CALL
from tests.simulator.orders import (
    AccountOrder,
    BulkOrder,
    CrowdOrder,
    InstallOrder,
    KindsOrder,
    TrafficOrder,
)
from tests.simulator.simulator import Simulator
from tests.simulator.truth import changes, truth

LONGEST_PAGE = 10_000


def account_of(simulator: Simulator, portal_id: int | None) -> Account:
    """Return the account that is meant, the first one by default."""
    number = simulator.settings.portal_id if portal_id is None else portal_id
    account = simulator.world.accounts.get(number)
    if account is None:
        raise HubSpotError(404, "OBJECT_NOT_FOUND", f"no account {number}")
    return account


@post("/do")
async def do_deeds(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Do things to calls, in order; the first that cannot be done ends it with 409."""
    order = await body_of(request, Deeds)
    account = account_of(simulator, order.portal_id)
    try:
        return answer(Done([do(simulator, account, deed) for deed in order.deeds]))
    except NoSuchCallError as error:
        raise HubSpotError(409, "CONFLICT", str(error)) from error


@post("/traffic")
async def set_traffic(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Start or stop the life of an account."""
    order = await body_of(request, TrafficOrder)
    account = account_of(simulator, order.portal_id)
    if order.rate > 0:
        simulator.traffic.start(account, order.rate, office_hours=order.office_hours)
    else:
        simulator.traffic.stop(account.portal_id)
    return nothing()


@post("/bulk")
async def import_calls(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Let an account have a past."""
    order = await body_of(request, BulkOrder)
    life = simulator.traffic.life(account_of(simulator, order.portal_id))
    if order.told:
        life.import_now(order.count)
    else:
        life.bulk(order.count)
    return nothing()


@post("/crowd")
async def open_crowd(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Open many accounts of uneven size."""
    order = await body_of(request, CrowdOrder)
    accounts = simulator.open_crowd(order.accounts, order.calls, order.rate)
    return answer([_state(simulator, account.portal_id) for account in accounts])


@post("/kinds")
async def set_kinds(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Say what an account's calls can be associated with."""
    order = await body_of(request, KindsOrder)
    account = account_of(simulator, order.portal_id)
    unknown = {*order.kinds, *order.refused} - FROM_CALL.keys()
    if unknown:
        message = f"no such types: {', '.join(sorted(unknown))}"
        raise HubSpotError(400, "VALIDATION_ERROR", message)
    account.kinds, account.refused_kinds = frozenset(order.kinds), frozenset(order.refused)
    return nothing()


@post("/quiet")
async def wait_until_quiet(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Answer once every notification was delivered or given up; 408 if that takes too long."""
    seconds = float(Query(request).one("timeout", "30"))
    try:
        async with asyncio.timeout(seconds):
            await simulator.delivery.quiet()
    except TimeoutError as error:
        message = f"{simulator.delivery.pending} notifications are still under way"
        raise HubSpotError(408, "TIMEOUT", message) from error
    return nothing()


@get("/truth/{portal_id:int}")
async def get_truth(
    request: HubSpotRequest, simulator: Here, portal_id: FromPath[int]
) -> Response[bytes]:
    """Return a page of calls as they truly are."""
    account_of(simulator, portal_id)
    start, size = _page(request)
    return answer(truth(simulator, portal_id, start, size))


@get("/changes/{portal_id:int}")
async def get_changes(
    request: HubSpotRequest, simulator: Here, portal_id: FromPath[int]
) -> Response[bytes]:
    """Return a page of all changes."""
    start, size = _page(request)
    return answer(changes(account_of(simulator, portal_id), start, size))


def _page(request: HubSpotRequest) -> tuple[int, int]:
    query = Query(request)
    start = query.one("after", "0")
    return int(start) if start.isdecimal() else 0, query.number("limit", 1_000, LONGEST_PAGE)


@get("/requests")
async def get_requests(simulator: Here) -> Response[bytes]:
    """Return what was asked."""
    return answer(Requests(simulator.all_counts()))


@get("/deliveries")
async def get_deliveries(simulator: Here) -> Response[bytes]:
    """Return what became of notifications."""
    return answer(Deliveries(simulator.delivery.tally, simulator.delivery.pending))


@delete("/counts", status_code=200)
async def reset_counts(simulator: Here) -> Response[bytes]:
    """Count requests and deliveries anew."""
    simulator.reset_meters()
    return nothing()


@post("/accounts")
async def open_account(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Open an account with a private app, or find it."""
    order = await body_of(request, AccountOrder)
    account = simulator.open_account(order.portal_id, order.token, installed=order.installed)
    account.time_zone = order.time_zone or account.time_zone
    return answer(_state(simulator, order.portal_id))


@post("/install")
async def set_installed(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Let an account install or uninstall the webhook app."""
    order = await body_of(request, InstallOrder)
    portal_id = account_of(simulator, order.portal_id).portal_id
    if order.installed:
        simulator.app.install(portal_id)
    else:
        simulator.app.uninstall(portal_id)
    return nothing()


@get("/accounts")
async def get_accounts(simulator: Here) -> Response[bytes]:
    """Return every account."""
    return answer([_state(simulator, portal_id) for portal_id in simulator.world.accounts])


def _state(simulator: Simulator, portal_id: int) -> AccountState:
    account = simulator.world.accounts[portal_id]
    return AccountState(
        portal_id,
        simulator.world.private_token(portal_id),
        len(account.calls),
        len(account.live),
        len(account.archived),
        len(account.log),
    )


def control_router(simulator: Simulator) -> Router:
    """Return the routes of the control API."""
    return Router(
        "/_control",
        route_handlers=[
            *SETTINGS,
            do_deeds,
            set_traffic,
            set_kinds,
            import_calls,
            open_crowd,
            wait_until_quiet,
            get_truth,
            get_changes,
            get_requests,
            get_deliveries,
            reset_counts,
            open_account,
            get_accounts,
            set_installed,
        ],
        dependencies={"simulator": Provide(lambda: simulator, sync_to_thread=False)},
    )
