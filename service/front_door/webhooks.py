"""`POST /webhooks/hubspot`: raw body, signature, notifications, marks, `204`.

A raw ASGI handler: it reads the body itself, so that nothing is decoded before its signature is
known to be good, and costs less than half of a handler with a parsed request.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import quote

import structlog
from litestar import Litestar, asgi
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send

from jobs.headroom import WORD, Headroom
from jobs.log_limit import Quiet
from service.front_door.body import BodyReader, DisconnectedError
from service.front_door.counters import FrontDoorCounters
from service.front_door.json_elements import OvercrowdedBodyError, UnreadableBodyError
from service.front_door.marking import Answer, Committer
from service.front_door.notifications import Batch, decode
from service.front_door.signature import Delivery, Reason, Verdict, Verifier
from service.problems import Problem, RefusedError, retry_later, send_problem

_log = structlog.get_logger(__name__)

PATH = "/webhooks/hubspot"

_ACCEPTED = HTTPStatus.NO_CONTENT.value
_TELLING = frozenset({Reason.MISSING, Reason.MALFORMED, Reason.STALE})
"""Reasons that the sender may know; the others would tell a forger how near he is."""


class FrontDoor:
    """Takes HubSpot's deliveries in."""

    def __init__(  # noqa: PLR0913 - the parts of the door, the optional ones named
        self,
        verifier: Verifier,
        committer: Committer,
        bodies: BodyReader,
        counters: FrontDoorCounters,
        *,
        headroom: Headroom | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Verify by `verifier` at `clock`'s time (epoch s) and commit through `committer`.

        Nothing is taken while there is no `headroom`; None = there always is.
        """
        self._headroom = headroom
        self._verifier = verifier
        self._committer = committer
        self._bodies = bodies
        self._counters = counters
        self._clock = clock
        self._quiet = Quiet()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        """Answer one delivery."""
        try:
            await self._take_in(scope, receive)
        except DisconnectedError:
            return
        except RefusedError as refused:
            self._counters.responses[refused.problem.status.value] += 1
            await send_problem(send, refused.problem)
            return
        self._counters.responses[_ACCEPTED] += 1
        await send({"type": "http.response.start", "status": _ACCEPTED, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _take_in(self, scope: HTTPScope, receive: Receive) -> None:
        """Return once every notification of the body is safe; raises `RefusedError` if not."""
        if scope["method"] != "POST":
            allow = ((b"allow", b"POST"),)
            raise RefusedError(
                Problem(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here", allow)
            )
        headers = dict(scope["headers"])
        body = await self._bodies.read(headers, receive)
        verdict = self._verifier.verify(
            Delivery(scope["method"], target_of(scope), headers, body), int(self._clock() * 1000)
        )
        if not verdict.accepted:
            raise RefusedError(self._rejected(verdict))
        if self._headroom is not None and self._headroom.tight:
            self._counters.unmarked[WORD] += 1
            raise RefusedError(retry_later(f"not taken: {WORD}"))
        try:
            batch = decode(body)
        except UnreadableBodyError as error:
            raise RefusedError(Problem(HTTPStatus.BAD_REQUEST, str(error))) from error
        except OvercrowdedBodyError as error:
            too_large = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            raise RefusedError(Problem(too_large, str(error))) from error
        await self._mark(batch, len(body))

    async def _mark(self, batch: Batch, body_bytes: int) -> None:
        if batch.marks or batch.dead_letters:
            answer = await self._committer.commit(batch, body_bytes)
            if answer is not Answer.MARKED:
                self._counters.unmarked[answer] += 1
                raise RefusedError(retry_later(f"not taken: {answer}"))
        self._counters.calls += batch.calls
        self._counters.others += batch.others
        self._counters.malformed += len(batch.dead_letters)

    def _rejected(self, verdict: Verdict) -> Problem:
        """Count and log a refused signature; return the answer to it."""
        self._counters.rejected[verdict.reason] += 1
        self._counters.last_rejected[verdict.reason] = verdict.detail
        held_back = self._quiet.speak(verdict.reason)
        if held_back is not None:
            _log.warning(
                "signature refused",
                reason=verdict.reason,
                detail=verdict.detail,
                skew_ms=verdict.skew_ms,
                checked_url=verdict.checked_url,
                signed_url=verdict.signed_url,
                more_like_this=held_back,
            )
        telling = verdict.reason in _TELLING
        detail = verdict.detail if telling else "the signature does not match"
        return Problem(
            HTTPStatus.UNAUTHORIZED, detail, ((b"www-authenticate", b"HubSpot-Signature-v3"),)
        )


def target_of(scope: HTTPScope) -> bytes:
    """Return path and query string as received; the path's escapes are still in it."""
    # The raw path is optional in ASGI; granian, uvicorn and hypercorn all give it.
    path = scope.get("raw_path") or quote(scope["path"]).encode()
    query = scope["query_string"]
    return path + b"?" + query if query else path


@asgi(PATH, copy_scope=False)
async def hubspot_webhook(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand the request to the front door that the application's lifespan has opened."""
    if scope["type"] != ScopeType.HTTP:
        await send({"type": "websocket.close", "code": 1000, "reason": None})
        return
    await door_of(scope["litestar_app"])(scope, receive, send)


def door_of(app: Litestar) -> FrontDoor:
    """Return the application's front door."""
    return cast("FrontDoor", app.state["front_door"])
