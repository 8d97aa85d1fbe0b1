"""HubSpot's error bodies, read for what they tell.

Every field is optional in practice, categories are an open set, and `subCategory` is text in one
place and an object in another. A proxy in between may answer HTML. So nothing here ever raises:
what cannot be read is None or empty.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from jobs.hubspot.loose import DECODING, items, loads, members, text_of

OBJECT_NOT_FOUND: Final = "OBJECT_NOT_FOUND"
"""Category of the error that names ids which a batch read did not find."""


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One of the `errors` inside an error."""

    message: str | None = None
    code: str | None = None
    where: str | None = None
    """HubSpot's `in`: the parameter or field that is wrong."""
    sub_category: str | None = None
    context: Mapping[str, tuple[str, ...]] = {}
    """Such as `requiredGranularScopes` of `MISSING_SCOPES`."""


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An error answer, or one of the `errors` of a 207: HubSpot's `Error` and `StandardError`."""

    status: str | None = None
    """`error`, or of the OAuth endpoints a word such as `BAD_REFRESH_TOKEN`."""
    oauth_error: str | None = None
    """The OAuth endpoints' `error`, a word of RFC 6749 such as `invalid_grant`."""
    message: str | None = None
    category: str | None = None
    """Such as `OBJECT_NOT_FOUND`, `RATE_LIMITS`, `MISSING_SCOPES`: an open set."""
    sub_category: str | None = None
    """Text as sent; an object as its JSON."""
    correlation_id: str | None = None
    """What HubSpot's support asks for."""
    error_type: str | None = None
    """`RATE_LIMIT` in some 429 bodies."""
    policy_name: str | None = None
    """The exhausted limit, such as `DAILY` or `TEN_SECONDLY_ROLLING`; not always there."""
    group_name: str | None = None
    request_id: str | None = None
    id: str | None = None
    context: Mapping[str, tuple[str, ...]] = {}
    """Such as `ids`: the records that are meant."""
    links: Mapping[str, str] = {}
    errors: tuple[ErrorDetail, ...] = ()


def decode_error(raw: bytes) -> ErrorBody:
    """Return what an error answer tells; an empty `ErrorBody` if it tells nothing."""
    return read_error(loads(raw))


def decode_errors(raw: bytes | msgspec.Raw) -> tuple[ErrorBody, ...]:
    """Return the errors of a 207; what is not a list of objects holds none."""
    listed = loads(bytes(raw))
    return tuple(read_error(error) for error in items(listed) if isinstance(error, dict))


def read_error(value: object) -> ErrorBody:
    """Return the error that a decoded JSON value tells."""
    body = members(value)
    return ErrorBody(
        status=_words(body.get("status")),
        oauth_error=_words(body.get("error")),
        message=_words(body.get("message")),
        category=_words(body.get("category")),
        sub_category=_words(body.get("subCategory")),
        correlation_id=_words(body.get("correlationId")),
        error_type=_words(body.get("errorType")),
        policy_name=_words(body.get("policyName")),
        group_name=_words(body.get("groupName")),
        request_id=_words(body.get("requestId")),
        id=_words(body.get("id")),
        context=_context(body.get("context")),
        links={
            name: text
            for name, link in members(body.get("links")).items()
            if (text := _words(link))
        },
        errors=tuple(_detail(detail) for detail in items(body.get("errors"))),
    )


def _detail(value: object) -> ErrorDetail:
    detail = members(value)
    return ErrorDetail(
        message=_words(detail.get("message")),
        code=_words(detail.get("code")),
        where=_words(detail.get("in")),
        sub_category=_words(detail.get("subCategory")),
        context=_context(detail.get("context")),
    )


def _context(value: object) -> dict[str, tuple[str, ...]]:
    """Return lists of texts by name; a lone text counts as a list of one."""
    return {
        name: tuple(
            text for item in items(listed) or [listed] if (text := _words(item)) is not None
        )
        for name, listed in members(value).items()
    }


def _words(value: object) -> str | None:
    """Return `text_of` the value, None if it is nested too deeply to say."""
    try:
        return text_of(value)
    except DECODING:
        return None
