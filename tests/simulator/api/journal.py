"""Reading the Webhooks Journal: where the next file is, and the file behind its signed URL."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec
from litestar import Response, get, post

from tests.simulator.answers import (
    HubSpotError,
    Json,
    answer,
    batch_error,
    invalid,
    not_found,
    nothing,
    read_body,
)
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.reading import Query, whole_number
from tests.simulator.caller import Caller, HubSpotRequest, caller_of
from tests.simulator.clock import iso
from tests.simulator.model.journal import File

VERSIONS = ("2026-03", "2027-03-beta")
MOST_FILES = 100
URL_LIFE_MS = 300_000
_BASES = [
    "/webhooks-journal/journal/{version:str}",
    "/webhooks-journal/journal-local/{version:str}",
    "/webhooks/v4/journal",
]


class Offsets(msgspec.Struct, frozen=True):
    """The body of a batch read."""

    inputs: list[str]


def for_journal(request: HubSpotRequest) -> Caller:
    """Return who asks.

    Raises:
        HubSpotError: 404, there is no such version; 403, the token is an account's.
    """
    caller = caller_of(request)
    if caller.params.get("version", VERSIONS[0]) not in VERSIONS:
        raise not_found()
    if caller.grant is None or caller.grant.kind != "client_credentials":
        message = "This API needs a token of the app itself, from client credentials."
        raise HubSpotError(403, "MISSING_SCOPES", message)
    return caller


def _portal(request: HubSpotRequest) -> int | None:
    text = Query(request).one("installPortalId")
    number = whole_number(text) if text else None
    if text and number is None:
        message = "installPortalId must be a number"
        raise invalid(message)
    return number


def _count(caller: Caller) -> int:
    count = whole_number(caller.params["count"])
    if count is None or not 1 <= count <= MOST_FILES:
        message = f"count must be between 1 and {MOST_FILES}"
        raise invalid(message)
    return count


def signature(caller: Caller, offset: str, expires_at: int) -> str:
    """Return what makes a file's URL good until a time."""
    secret = f"{caller.simulator.settings.seed}/journal files"
    digest = hmac.digest(secret.encode(), f"{offset}/{expires_at}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def pointer(request: HubSpotRequest, caller: Caller, file: File) -> dict[str, Json]:
    """Return where a file is."""
    expires_at = caller.simulator.clock.now_ms() + URL_LIFE_MS
    host = request.headers.get("host", "localhost")
    sign = signature(caller, file.offset, expires_at)
    query = f"X-Amz-Expires={expires_at}&X-Amz-Signature={sign}"
    return {
        "url": f"http://{host}/_journal/{file.offset}.json?{query}",
        "expiresAt": iso(expires_at),
        "currentOffset": file.offset,
    }


def _one(request: HubSpotRequest, caller: Caller, files: Sequence[File]) -> Response[bytes]:
    return answer(pointer(request, caller, files[0])) if files else nothing()


def _many(request: HubSpotRequest, caller: Caller, files: Sequence[File]) -> Response[bytes]:
    return batch_answer(caller, [pointer(request, caller, file) for file in files])


@get([f"{base}/earliest" for base in _BASES], operation="journal.earliest", family="journal")
async def earliest(request: HubSpotRequest) -> Response[bytes]:
    """Return the oldest file that is kept; 204 if there is none."""
    caller = for_journal(request)
    return _one(request, caller, caller.simulator.journal.files(_portal(request))[:1])


@get([f"{base}/latest" for base in _BASES], operation="journal.latest", family="journal")
async def latest(request: HubSpotRequest) -> Response[bytes]:
    """Return the newest file; 204 if there is none."""
    caller = for_journal(request)
    return _one(request, caller, caller.simulator.journal.files(_portal(request))[-1:])


@get(
    [f"{base}/offset/{{offset:str}}/next" for base in _BASES],
    operation="journal.next",
    family="journal",
)
async def following(request: HubSpotRequest) -> Response[bytes]:
    """Return the file after an offset; 204 when caught up, 404 when the offset is too old."""
    caller = for_journal(request)
    return _one(request, caller, _after(request, caller)[:1])


def _after(request: HubSpotRequest, caller: Caller) -> list[File]:
    files = caller.simulator.journal.after(caller.params["offset"], _portal(request))
    if files is None:
        message = "The offset is unknown or older than the journal's retention."
        raise not_found(message)
    return files


@get(
    [f"{base}/batch/earliest/{{count:str}}" for base in _BASES],
    operation="journal.batch",
    family="journal",
)
async def batch_earliest(request: HubSpotRequest) -> Response[bytes]:
    """Return the oldest files."""
    caller = for_journal(request)
    files = caller.simulator.journal.files(_portal(request))
    return _many(request, caller, files[: _count(caller)])


@get(
    [f"{base}/batch/latest/{{count:str}}" for base in _BASES],
    operation="journal.batch",
    family="journal",
)
async def batch_latest(request: HubSpotRequest) -> Response[bytes]:
    """Return the newest files, oldest of them first."""
    caller = for_journal(request)
    files = caller.simulator.journal.files(_portal(request))
    return _many(request, caller, files[-_count(caller) :])


@get(
    [f"{base}/batch/{{offset:str}}/next/{{count:str}}" for base in _BASES],
    operation="journal.batch",
    family="journal",
)
async def batch_following(request: HubSpotRequest) -> Response[bytes]:
    """Return the files after an offset."""
    caller = for_journal(request)
    return _many(request, caller, _after(request, caller)[: _count(caller)])


@post(
    [f"{base}/batch/read" for base in _BASES],
    operation="journal.batch",
    family="journal",
    status_code=200,
)
async def batch_read(request: HubSpotRequest) -> Response[bytes]:
    """Return files by offset; 207 when some are not kept."""
    caller = for_journal(request)
    body = read_body(await request.body(), Offsets)
    check_size(body.inputs, MOST_FILES)
    journal = caller.simulator.journal
    files = [file for offset in body.inputs if (file := journal.find(offset))]
    missing = [offset for offset in body.inputs if not journal.find(offset)]
    message = "Some offsets are unknown or older than the journal's retention."
    errors = [batch_error("OBJECT_NOT_FOUND", message, {"offsets": missing})] if missing else []
    return batch_answer(caller, [pointer(request, caller, file) for file in files], errors)


@get("/_journal/{name:str}", operation="journal.file", family="free")
async def download(request: HubSpotRequest) -> Response[bytes]:
    """Return a file to whoever has a good URL, as an object store does."""
    caller, query = caller_of(request), Query(request)
    offset = caller.params["name"].removesuffix(".json")
    expires_at = whole_number(query.one("X-Amz-Expires")) or 0
    good = hmac.compare_digest(
        signature(caller, offset, expires_at).encode(), query.one("X-Amz-Signature").encode()
    )
    if not good or expires_at <= caller.came_at:
        reason = "SignatureDoesNotMatch" if not good else "AccessDenied"
        return _xml(403, reason)
    file = caller.simulator.journal.find(offset)
    if file is None:
        return _xml(404, "NoSuchKey")
    return answer(
        {
            "offset": file.offset,
            "journalEvents": file.events,
            "publishedAt": iso(file.published_at),
        }
    )


def _xml(status: int, code: str) -> Response[bytes]:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Response(body.encode(), status_code=status, media_type="application/xml")


ROUTES = [
    earliest,
    latest,
    following,
    batch_earliest,
    batch_latest,
    batch_following,
    batch_read,
    download,
]
