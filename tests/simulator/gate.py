"""What every API request passes: counting, the token, limits, latency and faults."""

import asyncio
import math
import random
from collections.abc import Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tests.simulator.answers import HubSpotError, Json
from tests.simulator.caller import NO_TOKEN, Caller
from tests.simulator.knobs import Knobs
from tests.simulator.model.world import Grant
from tests.simulator.scopes import check_scopes
from tests.simulator.seeds import draw_uuid
from tests.simulator.wire import EXTENSION, Wire

if TYPE_CHECKING:
    from tests.simulator.simulator import Simulator

_LIMIT_MESSAGES = {
    "TEN_SECONDLY_ROLLING": "You have reached your ten_secondly_rolling limit.",
    "DAILY": "You have reached your daily limit.",
    "SECONDLY": "You have reached your secondly limit.",
}


_P99 = 2.326
"""One draw in a hundred lies this many standard deviations above the mean."""


def draw_latency_ms(knobs: Knobs, rng: random.Random) -> float:
    """Return how long an answer takes."""
    latency_ms = knobs.latency_ms + rng.uniform(0, knobs.latency_jitter_ms)
    if not 0 < knobs.latency_ms < knobs.latency_p99_ms:
        return latency_ms
    spread = math.log(knobs.latency_p99_ms / knobs.latency_ms) / _P99
    return latency_ms * rng.lognormvariate(0, spread)


class Gate(ASGIMiddleware):
    """Stands before every route that has an `operation`; control routes have none."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._rng = random.Random(f"{simulator.world.seed}/gate")

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Let one request through, or refuse it."""
        opt = scope["route_handler"].opt
        operation = opt.get("operation")
        if operation is None:
            await next_app(scope, receive, send)
            return
        caller = Caller(
            self._simulator, operation, opt.get("family", "public"), scope["path_params"]
        )
        scope["state"]["caller"] = caller
        answer = Answer()
        headers = {"X-HubSpot-Correlation-Id": draw_uuid(self._rng)}
        try:
            headers |= self._admit(caller, scope)
            await caller.strike()
            await self._take_time()
            await next_app(scope, receive, answer.take)
        except HubSpotError as error:
            answer.refuse(error)
        headers["Date"] = formatdate(self._simulator.clock.now_ms() / 1000, usegmt=True)
        self._count(caller, answer.status)
        await answer.send(send, headers, caller, scope)

    def _admit(self, caller: Caller, scope: Scope) -> dict[str, str]:
        """Find the account of the token and take the request from its limits."""
        simulator = self._simulator
        knobs = simulator.knobs
        target = len(scope["raw_path"]) + len(scope["query_string"])
        if target > knobs.max_url:
            raise HubSpotError(414, "VALIDATION_ERROR", "URI Too Long")
        if caller.family == "free":
            return {}
        caller.grant = grant = self._grant(scope)
        check_scopes(grant, caller.operation)
        portal_id = grant.portal_id or 0
        simulator.meter(portal_id).came(
            caller.operation, caller.came_at, public=caller.family == "public"
        )
        verdict = simulator.limits_of(portal_id).take(
            grant.app_id, caller.family, caller.came_at, knobs, oauth=grant.kind == "oauth"
        )
        if verdict.refused_by:
            simulator.meter(portal_id).counts.refused += 1
            raise _limited(verdict.refused_by, verdict.headers, knobs.retry_after_s)
        return verdict.headers

    def _grant(self, scope: Scope) -> Grant:
        token = ""
        for name, value in scope["headers"]:
            if name == b"authorization":
                token = value.decode("latin-1").removeprefix("Bearer ").strip()
        if not token and b"hapikey=" in scope["query_string"]:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            token = query.get("hapikey", [""])[-1]
        grant = self._simulator.world.grants.get(token)
        if grant is None:
            raise HubSpotError(401, "INVALID_AUTHENTICATION", NO_TOKEN)
        late = 0 if grant.expires_at is None else self._simulator.clock.now_ms() - grant.expires_at
        if grant.expires_at is not None and late >= 0:
            message = (
                f"The OAuth token used to make this call expired {late // 1000} second(s) ago."
            )
            raise HubSpotError(401, "EXPIRED_AUTHENTICATION", message)
        return grant

    async def _take_time(self) -> None:
        latency_ms = draw_latency_ms(self._simulator.knobs, self._rng)
        if latency_ms:
            await asyncio.sleep(latency_ms / 1000)

    def _count(self, caller: Caller, status: int) -> None:
        if caller.grant is not None:
            self._simulator.meter(caller.grant.portal_id or 0).went(status)


def _limited(policy: str, headers: dict[str, str], retry_after_s: int | None) -> HubSpotError:
    """Return the 429 of a policy; search names none."""
    if retry_after_s is not None:
        headers = headers | {"Retry-After": str(retry_after_s)}
    message = _LIMIT_MESSAGES[policy]
    if policy == "SECONDLY":
        return HubSpotError(429, "RATE_LIMITS", message, headers=headers)
    extra: dict[str, Json] = {"errorType": "RATE_LIMIT", "policyName": policy, "requestId": ""}
    if policy == "TEN_SECONDLY_ROLLING":
        extra["groupName"] = "publicapi:private-apps:api-calls"
    return HubSpotError(429, "RATE_LIMITS", message, extra=extra, headers=headers)


class Answer:
    """An answer on its way back, before the faults get at it."""

    def __init__(self) -> None:
        self.status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    async def take(self, message: Message) -> None:
        """Take a message of the app."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = list(message["headers"])
        elif message["type"] == "http.response.body":
            self._body += message["body"]

    def refuse(self, error: HubSpotError) -> None:
        """Answer with an error."""
        self.status = error.status
        headers = {"Content-Type": "application/json;charset=utf-8"} | error.headers
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._body = error.encoded()

    async def send(self, send: Send, headers: dict[str, str], caller: Caller, scope: Scope) -> None:
        """Send it, with the headers of every answer, as the faults will have it."""
        wire = cast("Wire | None", cast("Any", scope.get("extensions", {})).get(EXTENSION))
        body = self._body
        if self.status >= 400 and body.startswith(b"{") and b'"correlationId"' not in body:
            own = f'{{"correlationId":"{headers["X-HubSpot-Correlation-Id"]}",'.encode()
            body = own + body[1:]
        effects: Sequence[str] = [fault.effect for fault in caller.faults]
        if "corrupt" in effects:
            body = body[: len(body) // 2] + b"\x00<html>" + body[len(body) // 2 :]
        if wire is not None and "truncate" in effects:
            wire.keep = len(body) // 2
        if wire is not None and (caller.cut or "cut_after" in effects):
            wire.cut()
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [*self._headers, *sent],
            }
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})
