"""Whether notifications sent to PUBLIC_URL reach a service that takes them.

A notification is signed and sent as HubSpot would, from here: that HubSpot comes through as well
cannot be seen from inside. It is about a contact, so that nothing is marked.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from jobs.config.settings import Settings
from jobs.config.urls import redacted
from service.doctor.findings import Finding, Notes
from service.front_door.signature import sign_v1, sign_v2, sign_v3
from service.subscriptions import target_url

DEADLINE_S: Final = 5.0
"""How long HubSpot waits for an answer (webhooks guide)."""
SLOW_MS: Final = 1_000
_LONGEST_DETAIL: Final = 65_536
_SUCCESS, _REDIRECT = 2, 3
_LOGS: Final = "look at the logs of the service and of the proxy"
_REFUSES: Final = ("something in front of the service refuses it", "let HubSpot through there")
_NOWHERE: Final = ("nothing there takes it", "let the proxy hand the path on to the service")
_NO_SERVICE: Final = ("the proxy has no service behind it", "check that callstream service runs")

_OTHERWISE: Final = (
    "start the service with this HUBSPOT_CLIENT_SECRET and PUBLIC_URL; let the proxy hand on path, "
    "query and body as they are"
)

_OURS: Final[Mapping[int, Sequence[tuple[str, str]]]] = {
    401: (
        ("without", "let the proxy hand on all headers"),
        ("timestamp", "set the clocks of this machine and of the service's"),
        ("", _OTHERWISE),
    ),
    503: (("", "see to Redis: the service cannot keep what it takes"),),
}
"""What to do about a refusal of Callstream's own, by a word of its detail."""
_THEIRS: Final[Mapping[int, tuple[str, str]]] = {
    401: _REFUSES,
    403: _REFUSES,
    404: _NOWHERE,
    405: _NOWHERE,
    413: ("too long for a limit", "raise the limit of the proxy, or MAX_BODY"),
    502: _NO_SERVICE,
    503: _NO_SERVICE,
    504: _NO_SERVICE,
}
"""What others' refusals mean, and what to do."""


class Reply(msgspec.Struct, frozen=True):
    """What was answered."""

    status: int
    elapsed_ms: int
    detail: str = ""
    """What a problem document says; empty where the answer is none, and so hardly Callstream's."""
    location: str = ""
    """Where a redirect leads, without its query."""


class Broken(msgspec.Struct, frozen=True):
    """Why there was no answer."""

    said: str
    todo: str


Outcome = Reply | Broken


async def examine_public_url(settings: Settings) -> Sequence[Finding]:
    """Send signed notifications, and one without a signature."""
    notes = Notes("public url")
    secrets = settings.hubspot_client_secret
    if not settings.public_url or not secrets:
        todo = "set PUBLIC_URL and HUBSPOT_CLIENT_SECRET"
        notes.warning("reachable", "not checked: both URL and secret are needed", todo)
        return notes.findings
    judge_address(settings.public_url, notes)
    url, body = target_url(settings), notification(settings.hubspot_portal_id or 0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        for place, secret in enumerate(secrets, 1):
            headers = signed(settings, url, body, secret.reveal().encode())
            check = "signature" if len(secrets) == 1 else f"signature {place} of {len(secrets)}"
            judge_signed(await _send(http, url, body, headers), check, url, notes)
        judge_unsigned(await _send(http, url, body, {}), notes)
    return notes.findings


def notification(portal_id: int) -> bytes:
    """Return a delivery of one notification, about a contact, with letters of several scripts."""
    event = {
        "eventId": 100,
        "subscriptionId": 0,
        "portalId": portal_id,
        "appId": 0,
        "occurredAt": round(time.time() * 1000),
        "subscriptionType": "object.propertyChange",
        "attemptNumber": 0,
        "objectId": 123,
        "objectTypeId": "0-1",
        "propertyName": "firstname",
        "propertyValue": "Zoë 日本語 🎧",
        "changeSource": "CRM",
        "isSensitive": False,
    }
    return msgspec.json.encode([event])


def signed(settings: Settings, url: str, body: bytes, secret: bytes) -> Mapping[str, str]:
    """Return the headers of HubSpot's: v3, and beside it the older signature of v1 or v2."""
    timestamp, uri = str(round(time.time() * 1000)).encode(), url.encode()
    older = "v2" if "v2" in settings.signature_versions else "v1"
    hexed = sign_v2(secret, b"POST", uri, body) if older == "v2" else sign_v1(secret, body)
    return {
        "X-HubSpot-Signature-v3": sign_v3(secret, b"POST", uri, body, timestamp).decode(),
        "X-HubSpot-Request-Timestamp": timestamp.decode(),
        "X-HubSpot-Signature": hexed.decode(),
        "X-HubSpot-Signature-Version": older,
    }


async def _send(
    http: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
) -> Outcome:
    """Send as HubSpot would: the answer within its deadline, redirects not followed."""
    began = time.monotonic()
    sent = {"Content-Type": "application/json", "User-Agent": "callstream doctor", **headers}
    try:
        async with (
            asyncio.timeout(DEADLINE_S),
            http.post(url, data=body, headers=sent, allow_redirects=False) as response,
        ):
            raw = await response.content.read(_LONGEST_DETAIL)
            elapsed_ms = round((time.monotonic() - began) * 1000)
            location = redacted(response.headers.get("Location", ""))
            return Reply(response.status, elapsed_ms, _detail(response, raw), location)
    except TimeoutError:
        return Broken(
            f"no answer within {DEADLINE_S:.0f} s, after which HubSpot gives up",
            "check firewall and proxy on the way to the service, and that it runs",
        )
    except (aiohttp.ClientError, OSError) as error:
        return broken(error)


def _detail(response: aiohttp.ClientResponse, raw: bytes) -> str:
    if response.content_type != "application/problem+json":
        return ""
    try:
        return str(msgspec.json.decode(raw, type=dict[str, object]).get("detail", ""))
    except msgspec.MsgspecError:
        return ""


def broken(error: Exception) -> Broken:
    """Return why a request brought no answer."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            reason = getattr(error, "certificate_error", error)
            why = getattr(reason, "verify_message", "") or type(reason).__name__
            todo = "renew the certificate, with its whole chain and for this host name"
            return Broken(f"the certificate is not trusted: {why}", todo)
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Broken("no TLS is spoken there", "let the proxy end TLS, on this port")
        case aiohttp.ClientConnectorDNSError():
            return Broken("the host name has no address", "check PUBLIC_URL, and its DNS record")
        case aiohttp.ClientConnectorError():
            why = error.os_error.strerror or type(error.os_error).__name__
            return Broken(f"no connection: {why}", "check that proxy and service run and listen")
        case _:
            said = f"the connection was cut, or no HTTP is spoken ({type(error).__name__})"
            return Broken(said, "check what listens there")


def judge_address(url: str, notes: Notes) -> None:
    """Judge whether HubSpot could call the address at all."""
    parts = urlsplit(url)
    if _is_local(parts.hostname or ""):
        said = f"{url} leads to this machine or network only: HubSpot cannot call it"
        notes.warning("address", said, "set PUBLIC_URL to an address on the internet, or a tunnel")
    elif parts.scheme != "https":
        notes.warning("address", f"{url}: HubSpot asks for https", "let a proxy end TLS")
    else:
        notes.ok("address", url)


def _is_local(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def judge_signed(outcome: Outcome, check: str, url: str, notes: Notes) -> None:
    """Judge the answer to a signed notification."""
    if isinstance(outcome, Broken):
        notes.problem(check, f"POST {url}: {outcome.said}", outcome.todo)
    elif outcome.status != HTTPStatus.NO_CONTENT:
        said, todo = _misled(outcome)
        notes.problem(check, f"POST {url}: {outcome.status}, {said}", todo)
    elif outcome.elapsed_ms >= SLOW_MS:
        said = f"taken, but only after {outcome.elapsed_ms} ms; HubSpot waits {DEADLINE_S:.0f} s"
        notes.warning(check, said, "look at the service's and Redis' load, and at the proxy")
    else:
        notes.ok(check, f"a signed notification is taken, in {outcome.elapsed_ms} ms")


def _misled(reply: Reply) -> tuple[str, str]:
    """Return what an answer other than 204 means, and what to do."""
    if reply.detail and reply.status in _OURS:
        hints = _OURS[reply.status]
        return reply.detail, next(todo for word, todo in hints if word in reply.detail)
    if reply.status // 100 == _REDIRECT:
        todo = "set PUBLIC_URL to where it leads, or stop redirecting"
        return f"a redirect to {reply.location}, which HubSpot may not follow", todo
    if reply.status // 100 == _SUCCESS:
        return "not the 204 of Callstream", "check what answers there"
    return _THEIRS.get(reply.status, (reply.detail or "an error", _LOGS))


def judge_unsigned(outcome: Outcome, notes: Notes) -> None:
    """Judge the answer to a notification without a signature."""
    if isinstance(outcome, Reply) and outcome.status // 100 == _SUCCESS:
        said = f"a notification without a signature is answered {outcome.status}"
        notes.problem("forgery", said, "check what answers there: Callstream refuses it")
    elif isinstance(outcome, Reply) and outcome.status == HTTPStatus.UNAUTHORIZED:
        notes.ok("forgery", "a notification without a signature is refused")
