"""Lets operators in, and nobody else: `Authorization: Bearer $ADMIN_TOKEN`."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from jobs.config.values import Secret

Connection = ASGIConnection[Any, Any, Any, Any]

_SCHEME = "bearer"


def operators_only(token: Secret | None) -> Callable[[Connection, BaseRouteHandler], None]:
    """Return a guard that answers 401 to all who do not show the token, 403 if there is none.

    The token is compared in constant time, and by its hash, so that not even its length is told.
    """
    wanted = None if token is None else _hashed(token.reveal())

    def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        if wanted is None:
            raise PermissionDeniedException(
                detail="ADMIN_TOKEN is not set: operators have no way in"
            )
        scheme, _, shown = connection.headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(_hashed(shown.strip()), wanted)
        if scheme.lower() != _SCHEME or not is_right:
            raise NotAuthorizedException(
                detail="Authorization: Bearer with the right token is wanted",
                headers={"WWW-Authenticate": "Bearer"},
            )

    return guard


def _hashed(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
