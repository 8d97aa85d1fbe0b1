"""Why Redis takes no writes, told from what its client raised."""

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    OutOfMemoryError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from service.front_door.outages import Outage, outage_of

MISCONF = ResponseError("MISCONF Valkey is configured to save RDB snapshots, but it's unable to")
WRAPPED_OOM = ResponseError("ERR Error running script (call to f_1): @user_script:1: -OOM command")


def wrapped(cause: BaseException) -> RedisConnectionError:
    """Return a connection's failure for a cause, as it is caught."""
    try:
        try:
            raise cause
        except type(cause) as error:
            msg = "Error connecting"
            raise RedisConnectionError(msg) from error
    except RedisConnectionError as failure:
        return failure


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (ConnectionRefusedError(), Outage.UNREACHABLE),
        (TimeoutError(), Outage.SLOW),
        (BusyLoadingError(), Outage.LOADING),
        (AuthenticationError(), Outage.DENIED),
        (OutOfMemoryError(), Outage.FULL),
        (MISCONF, Outage.UNWRITABLE),
        (WRAPPED_OOM, Outage.FULL),
        (ResponseError("WRONGTYPE Operation against a key"), None),
        (wrapped(MISCONF), Outage.UNWRITABLE),
        (wrapped(wrapped(MISCONF)), Outage.UNWRITABLE),
        (wrapped(ConnectionRefusedError()), Outage.UNREACHABLE),
        (wrapped(ResponseError("WRONGTYPE Operation")), Outage.UNREACHABLE),
    ],
    ids=str,
)
def test_outages(error: BaseException, outage: Outage | None) -> None:
    """An error tells its outage, a failed connection that of what it met; others are no outage."""
    assert outage_of(error) is outage
