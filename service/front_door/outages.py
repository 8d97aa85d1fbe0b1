"""Tells from a Redis error whether Redis cannot take writes now, and why."""

import re
from enum import StrEnum

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class Outage(StrEnum):
    """Why Redis takes no writes."""

    SLOW = "redis-slow"
    UNREACHABLE = "redis-unreachable"
    DENIED = "redis-denied"
    """It refuses our credentials."""
    FULL = "redis-full"
    READ_ONLY = "redis-read-only"
    LOADING = "redis-loading"
    UNWRITABLE = "redis-unwritable"
    """It cannot persist or replicate, or is busy or failing over."""


_BY_CLASS: tuple[tuple[type[BaseException], Outage], ...] = (
    (TimeoutError, Outage.SLOW),
    (RedisTimeoutError, Outage.SLOW),
    (OutOfMemoryError, Outage.FULL),
    (ReadOnlyError, Outage.READ_ONLY),
    (NoPermissionError, Outage.DENIED),
    (AuthenticationError, Outage.DENIED),
    (AuthorizationError, Outage.DENIED),
    (BusyLoadingError, Outage.LOADING),
    # The base of the three above, and TimeoutError is an OSError: order matters.
    (RedisConnectionError, Outage.UNREACHABLE),
    (OSError, Outage.UNREACHABLE),
)

_BY_CODE = {
    "OOM": Outage.FULL,
    "READONLY": Outage.READ_ONLY,
    "LOADING": Outage.LOADING,
    "NOAUTH": Outage.DENIED,
    "NOPERM": Outage.DENIED,
    "MISCONF": Outage.UNWRITABLE,
    "NOREPLICAS": Outage.UNWRITABLE,
    "MASTERDOWN": Outage.UNWRITABLE,
    "CLUSTERDOWN": Outage.UNWRITABLE,
    "TRYAGAIN": Outage.UNWRITABLE,
    "BUSY": Outage.UNWRITABLE,
    "UNBLOCKED": Outage.UNWRITABLE,
}
# Redis 6 wraps what a script met: "ERR Error running script (call to ...): ...: -OOM command ...".
_CODE = re.compile(rf"(?:^|: -)({'|'.join(_BY_CODE)})\b")


def outage_of(error: BaseException) -> Outage | None:
    """Return why Redis takes no writes, or None if the error is about what it was asked to do.

    A connection that could not be made is judged by what it met: a server that refuses even PING
    says why.
    """
    found = _outage_of(error)
    if found is not Outage.UNREACHABLE:
        return found
    for inner in (error.__cause__, error.__context__):
        deeper = outage_of(inner) if inner is not None else None
        if deeper not in {None, Outage.UNREACHABLE}:
            return deeper
    return found


def _outage_of(error: BaseException) -> Outage | None:
    for kind, outage in _BY_CLASS:
        if isinstance(error, kind):
            return outage
    code = _CODE.search(str(error)) if isinstance(error, ResponseError) else None
    return _BY_CODE[code[1]] if code else None
