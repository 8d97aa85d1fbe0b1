"""The control API's other half: knobs, faults, the clock, and what the process uses."""

import resource
from typing import TypeVar

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from tests.simulator.answers import HubSpotError, answer, nothing, read_body
from tests.simulator.caller import HubSpotRequest
from tests.simulator.messages import ClockState, FaultState, Usage
from tests.simulator.orders import ClockOrder, TargetOrder
from tests.simulator.simulator import Simulator
from tests.simulator.switchboard import Fault

T = TypeVar("T")
Here = NamedDependency[Simulator]


async def body_of(request: HubSpotRequest, kind: type[T]) -> T:
    """Return the body of a control request."""
    return read_body(await request.body() or b"{}", kind)


@get("/knobs")
async def get_knobs(simulator: Here) -> Response[bytes]:
    """Return every setting that can be turned."""
    return answer(simulator.knobs)


@patch("/knobs")
async def turn_knobs(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Turn some of them."""
    asked = await body_of(request, dict[str, int | float | str | bool | None])
    try:
        return answer(simulator.turn(**asked))
    except msgspec.ValidationError as error:
        raise HubSpotError(400, "VALIDATION_ERROR", str(error)) from error


@post("/faults")
async def set_fault(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Add a fault; the answer is its id."""
    return answer(simulator.switchboard.set(await body_of(request, Fault)))


@get("/faults")
async def get_faults(simulator: Here) -> Response[bytes]:
    """Return how often faults struck."""
    board = simulator.switchboard
    return answer(FaultState(board.struck, [*board.faults], [*board.strikes]))


@delete(["/faults", "/faults/{fault_id:int}"], status_code=200)
async def clear_faults(simulator: Here, fault_id: FromPath[int | None] = None) -> Response[bytes]:
    """Take one fault away, or all."""
    simulator.switchboard.clear(fault_id)
    return nothing()


@post("/clock")
async def set_clock(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Move the clock; without any order just read it."""
    order, clock = await body_of(request, ClockOrder), simulator.clock
    if order.freeze:
        clock.freeze()
    if order.set_ms is not None:
        clock.set(order.set_ms)
    if order.move_ms:
        clock.move(order.move_ms)
    if order.resume:
        clock.resume()
    return answer(ClockState(clock.now_ms(), clock.frozen))


@get("/usage")
async def get_usage() -> Response[bytes]:
    """Return what the process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return answer(Usage(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))


@put("/target")
async def set_target(request: HubSpotRequest, simulator: Here) -> Response[bytes]:
    """Send notifications elsewhere."""
    order, app = await body_of(request, TargetOrder), simulator.app
    app.target_url, app.client_secret = order.url, order.secret or app.client_secret
    return nothing()


SETTINGS = [
    get_knobs,
    turn_knobs,
    set_fault,
    get_faults,
    clear_faults,
    set_clock,
    set_target,
    get_usage,
]
