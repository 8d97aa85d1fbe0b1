"""What the front door promises of any bytes: signatures, and bodies."""

import base64
import hashlib
import hmac
import json
from typing import cast

from jobs.ledger.deadletters import RAW_BYTES
from jobs.ledger.wire import pack_marks
from service.front_door.json_elements import UnreadableBodyError
from service.front_door.notifications import Batch, decode
from service.front_door.signature import (
    MAX_SKEW_MS,
    SIGNATURE,
    SIGNATURE_V3,
    SIGNATURE_VERSION,
    TIMESTAMP,
    VERSIONS,
    Delivery,
    Verifier,
    decode_listed,
)
from tests.fuzz.drawn import Drawn
from tests.fuzz.redis_messages import fits_lua

SECRET = "a-planted-secret"
ORIGIN = "https://hooks.example.com"
NOW_MS = 1_751_276_050_977
_VERIFIERS = [Verifier(["old", SECRET], ORIGIN, VERSIONS[:count]) for count in (1, 2, 3)]
_HEADERS = (SIGNATURE_V3, TIMESTAMP, SIGNATURE, SIGNATURE_VERSION)

_MAX_ID = 2**63 - 1
_LAST_MS = 253_402_300_799_999
_TOO_DEEP = "nested too deeply"
_NAMES = (
    "portalId",
    "subscriptionType",
    "eventType",
    "occurredAt",
    "objectId",
    "objectTypeId",
    "propertyName",
    "changeSource",
    "primaryObjectId",
    "newObjectId",
    "mergedObjectIds",
    "fromObjectId",
    "fromObjectTypeId",
    "toObjectId",
    "toObjectTypeId",
    "associationRemoved",
    "propertyValue",
)
_KINDS = (
    "object.creation",
    "object.propertyChange",
    "object.deletion",
    "object.restore",
    "object.merge",
    "object.associationChange",
    "contact.creation",
)


def signature(data: bytes) -> None:
    """A delivery is accepted if, and only if, somebody who has a secret signed just this one.

    The input is a line each: how many versions are allowed, method, target, the four headers; what
    is left is the body.
    """
    lines = data.split(b"\n", 7)
    count, method, target, *values = (*lines, *[b""] * 8)[:7]
    body = lines[7] if len(lines) > 7 else b""
    headers = {name: value for name, value in zip(_HEADERS, values, strict=True) if value}
    sent = Delivery(method.decode("latin-1"), target, headers, body)
    allowed = len(count) % 3
    verifier = _VERIFIERS[allowed]
    verdict = verifier.verify(sent, NOW_MS)

    assert verdict.accepted == any(
        _is_right(version, sent) for version in VERSIONS[: allowed + 1]
    ), verdict
    assert SECRET not in verdict.detail
    assert decode_listed(target) == decode_listed(target.replace(b"%3A", b"%3a"))
    _signed_anew(verifier, sent)


def _signed_anew(verifier: Verifier, sent: Delivery) -> None:
    """Signed rightly it is accepted, and refused once a byte is added to it."""
    headers = {**sent.headers, TIMESTAMP: b"%d" % NOW_MS}
    headers[SIGNATURE_V3] = _v3(SECRET, sent, headers[TIMESTAMP])
    right = Delivery(sent.method, sent.target, headers, sent.body)
    longer = Delivery(sent.method, sent.target, headers, sent.body + b" ")
    assert verifier.verify(right, NOW_MS).version == "v3"
    assert verifier.verify(longer, NOW_MS).version != "v3"


def _is_right(version: str, sent: Delivery) -> bool:
    """Judge by HubSpot's rules once more, in other words than the verifier's."""
    shown = sent.headers.get(SIGNATURE_V3 if version == "v3" else SIGNATURE, b"")
    if version == "v3":
        timestamp = sent.headers.get(TIMESTAMP, b"")
        if not timestamp.isdigit() or len(timestamp) > 15:
            return False
        near = abs(int(timestamp) - NOW_MS) <= MAX_SKEW_MS
        return near and shown in [_v3(secret, sent, timestamp) for secret in ("old", SECRET)]
    if sent.headers.get(SIGNATURE_VERSION) != version.encode():
        return False
    request = b"" if version == "v1" else _method(sent) + ORIGIN.encode() + sent.target
    return shown in [
        hashlib.sha256(secret.encode() + request + sent.body).hexdigest().encode()
        for secret in ("old", SECRET)
    ]


def _v3(secret: str, sent: Delivery, timestamp: bytes) -> bytes:
    signed = _method(sent) + decode_listed(ORIGIN.encode() + sent.target) + sent.body + timestamp
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())


def _method(sent: Delivery) -> bytes:
    return sent.method.encode(errors="replace")


def notifications(data: bytes) -> None:
    """Every element of a body becomes a hint, is counted as another's, or is set aside."""
    try:
        batch = decode(data)
    except UnreadableBodyError:
        assert not isinstance(_loosely(data), list | dict)
        return
    _is_sound(batch)
    elements = _loosely(data)
    told = batch.calls + batch.others + len(batch.dead_letters)
    deep = any(letter.error == _TOO_DEEP for letter in batch.dead_letters)
    if isinstance(elements, list) and not deep:
        assert told == len(cast("list[object]", elements))
    elif isinstance(elements, dict):
        assert told == 1


def odd_notifications(data: bytes) -> None:
    """The same of bodies that are JSON, and nearly what HubSpot sends."""
    drawn = Drawn(data)
    body = [_notification(drawn) for _ in range(1 + drawn.number(4))]
    notifications(json.dumps(body, ensure_ascii=drawn.chance(2)).encode("utf-8", "replace"))


def _notification(drawn: Drawn) -> object:
    if drawn.chance(16):
        return drawn.value()
    found = drawn.members(_NAMES, drawn.choice((1, "512", 180_584_432_881)))
    if drawn.chance(2):
        found["objectTypeId"] = "0-48"
    if not drawn.chance(4):
        found["subscriptionType"] = drawn.choice(_KINDS)
    return found


def _is_sound(batch: Batch) -> None:
    """Check that the ledger can take the marks, and that the letters are bounded."""
    assert len({(mark.portal_id, mark.call_id) for mark in batch.marks}) == len(batch.marks)
    assert bool(batch.marks) == bool(batch.calls)
    for mark in batch.marks:
        assert 0 < mark.portal_id <= _MAX_ID
        assert 0 < int(mark.call_id) <= _MAX_ID
        assert mark.call_id == str(int(mark.call_id))
        assert mark.hints
        assert all(0 <= hint.occurred_at <= _LAST_MS for hint in mark.hints)
    for letter in batch.dead_letters:
        assert letter.error
        assert len(letter.raw) <= RAW_BYTES
        assert letter.call_id is None or 0 < int(letter.call_id) <= _MAX_ID
    fits_lua(pack_marks(batch.marks))


def _loosely(body: bytes) -> object:
    """Return what another JSON reader makes of a body, None if it makes nothing of it."""
    try:
        return cast("object", json.loads(body.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> object:
    raise ValueError(constant)
