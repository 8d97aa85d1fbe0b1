"""HubSpot's answers and error bodies."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from litestar import Response

T = TypeVar("T")
Json = object
"""Anything that msgspec can write as JSON."""

_encode = msgspec.json.Encoder().encode


class HubSpotError(Exception):
    """A request that HubSpot refuses, as its error body says it."""

    def __init__(  # noqa: PLR0913 - the parts of an error body
        self,
        status: int,
        category: str,
        message: str,
        *,
        sub_category: str = "",
        context: Mapping[str, Sequence[str]] | None = None,
        errors: Sequence[Mapping[str, Json]] = (),
        extra: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        raw: str | None = None,
    ) -> None:
        super().__init__(message)
        self.raw = raw
        """The body as it is sent, if it is not the JSON of `body`."""
        self.status = status
        self.headers = dict(headers or {})
        self.body: dict[str, Json] = {"status": "error", "message": message}
        if category:
            self.body["category"] = category
        if sub_category:
            self.body["subCategory"] = sub_category
        if context:
            self.body["context"] = context
        if errors:
            self.body["errors"] = errors
        self.body |= extra or {}

    def encoded(self) -> bytes:
        """Return the body as it is sent."""
        return _encode(self.body) if self.raw is None else self.raw.encode()


def invalid(message: str, *, context: Mapping[str, Sequence[str]] | None = None) -> HubSpotError:
    """Return the 400 of a request that is not as it should be."""
    return HubSpotError(400, "VALIDATION_ERROR", message, context=context)


def not_found(message: str = "resource not found") -> HubSpotError:
    """Return the 404 of a record that is not there."""
    return HubSpotError(404, "OBJECT_NOT_FOUND", message)


def answer(content: Json, status: int = 200) -> Response[bytes]:
    """Return a JSON answer."""
    return Response(_encode(content), status_code=status, media_type="application/json")


def nothing() -> Response[bytes]:
    """Return the empty 204."""
    return Response(b"", status_code=204, media_type="application/json")


def read_body(raw: bytes, kind: type[T]) -> T:
    """Return a request body as the struct it should be.

    Raises:
        HubSpotError: 400, saying where it is wrong.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"Invalid input JSON: {error}"
        raise invalid(msg) from error


def batch_error(
    category: str,
    message: str,
    context: Mapping[str, Sequence[str]],
    *,
    sub_category: str = "",
) -> dict[str, Json]:
    """Return one entry of a batch answer's `errors`, with every field that the spec requires."""
    body: dict[str, Json] = {
        "status": "error",
        "category": category,
        "message": message,
        "context": context,
        "errors": [],
        "links": {},
    }
    if sub_category:
        body["subCategory"] = sub_category
    return body


class Batch(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The answer to a batch request."""

    status: str
    results: Sequence[Json]
    started_at: str
    completed_at: str
    num_errors: int = 0
    errors: Sequence[Json] = ()
