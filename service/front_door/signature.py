"""Decides whether a request was signed by HubSpot: pure, and never raising on what it is given.

The rules are HubSpot's (developers.hubspot.com, "Validating requests"):

- v3: base64 of HMAC-SHA256 over METHOD + URI + raw body + timestamp, keyed with the app's client
  secret; the timestamp is in epoch ms and at most five minutes away.
- v2: hex SHA-256 of client secret + METHOD + URI + raw body.
- v1: hex SHA-256 of client secret + raw body.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

import msgspec

from service.front_door.explaining import came_to, shown, signed_url

VERSIONS = ("v3", "v2", "v1")
"""The known signature versions, strongest first."""

MAX_SKEW_MS = 300_000
"""How far a v3 timestamp may lie from our clock, either way."""

SIGNATURE_V3 = b"x-hubspot-signature-v3"
TIMESTAMP = b"x-hubspot-request-timestamp"
SIGNATURE = b"x-hubspot-signature"
SIGNATURE_VERSION = b"x-hubspot-signature-version"

_LISTED_ESCAPE = re.compile(rb"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_TIMESTAMP_DIGITS = 15


class Reason(StrEnum):
    """Why a signature was accepted or not."""

    VALID = "valid"
    MISSING = "missing-headers"
    MALFORMED = "malformed-timestamp"
    STALE = "stale-timestamp"
    WRONG_URL = "wrong-url"
    WRONG_SECRET = "wrong-secret"  # noqa: S105 - a reason, not a secret
    MISMATCH = "mismatch"


class Delivery(msgspec.Struct, frozen=True):
    """What a signature is about, byte for byte as received."""

    method: str
    target: bytes
    """Path and query string as they stood in the request line."""
    headers: Mapping[bytes, bytes]
    """The request's headers under lower-case names."""
    body: bytes


class Verdict(msgspec.Struct, frozen=True):
    """Whether a delivery is HubSpot's, and if not, what to do about it."""

    reason: Reason
    detail: str = ""
    """One sentence to act on; holds neither secrets nor anything of the body."""
    version: str | None = None
    """The signature version that was accepted."""
    skew_ms: int | None = None
    """The sender's timestamp minus our clock, where a readable timestamp was judged."""
    checked_url: str | None = None
    """Where the signature did not match: the URL that it was checked against, without its query."""
    signed_url: str | None = None
    """The URL that it was made for, where the request's headers name it."""

    @property
    def accepted(self) -> bool:
        """Whether the delivery may be trusted."""
        return self.reason is Reason.VALID


def decode_listed(uri: bytes) -> bytes:
    """Return the URI with the escapes decoded that HubSpot decodes before signing, and no others.

    They are `: / ? @ ! $ ' ( ) * , ;`, in either hex case, in one pass.
    """
    if b"%" not in uri:
        return uri
    return _LISTED_ESCAPE.sub(lambda escape: bytes.fromhex(escape[0][1:].decode()), uri)


def sign_v3(secret: bytes, method: bytes, uri: bytes, body: bytes, timestamp: bytes) -> bytes:
    """Return the v3 signature; `uri` is the full one, with its listed escapes decoded."""
    message = b"".join((method, uri, body, timestamp))
    return base64.b64encode(hmac.digest(secret, message, "sha256"))


def sign_v2(secret: bytes, method: bytes, uri: bytes, body: bytes) -> bytes:
    """Return the v2 signature; `uri` is the full one."""
    return hashlib.sha256(b"".join((secret, method, uri, body))).hexdigest().encode()


def sign_v1(secret: bytes, body: bytes) -> bytes:
    """Return the v1 signature."""
    return hashlib.sha256(secret + body).hexdigest().encode()


class Verifier:
    """Judges deliveries against the live client secrets and the public URL."""

    def __init__(
        self, secrets: Sequence[str], public_url: str, versions: Collection[str] = ("v3",)
    ) -> None:
        """Accept what any of `secrets` signed for `public_url` in one of the `versions`.

        Raises:
            ValueError: there is no secret, an empty one, no URL, or no known version.
        """
        if not secrets or not all(secrets):
            msg = "a client secret is needed to verify signatures"
            raise ValueError(msg)
        if not public_url:
            msg = "the public URL is needed to verify signatures"
            raise ValueError(msg)
        if not versions or not set(versions) <= set(VERSIONS):
            msg = f"signature versions are some of {', '.join(VERSIONS)}"
            raise ValueError(msg)
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._origin = public_url.rstrip("/").encode()
        self._versions = tuple(version for version in VERSIONS if version in versions)

    def verify(self, delivery: Delivery, now_ms: int) -> Verdict:
        """Judge a delivery at `now_ms` on our clock.

        Any allowed version that verifies is enough, since a sender may leave the others out; if
        none does, the verdict is about the strongest one allowed.
        """
        first: Verdict | None = None
        for version in self._versions:
            verdict = (
                self._judge_v3(delivery, now_ms)
                if version == "v3"
                else self._judge_hex(delivery, version)
            )
            if verdict.accepted:
                return verdict
            first = first or verdict
        assert first is not None  # noqa: S101 - there is at least one version
        return first

    def _judge_v3(self, delivery: Delivery, now_ms: int) -> Verdict:
        signature = delivery.headers.get(SIGNATURE_V3)
        timestamp = delivery.headers.get(TIMESTAMP)
        if not signature or not timestamp:
            return _missing(delivery, SIGNATURE_V3, TIMESTAMP)
        if not timestamp.isdigit() or len(timestamp) > _TIMESTAMP_DIGITS:
            return Verdict(Reason.MALFORMED, "the request timestamp is not a number of epoch ms")
        skew_ms = int(timestamp) - now_ms
        if abs(skew_ms) > MAX_SKEW_MS:
            return Verdict(Reason.STALE, _stale(skew_ms), skew_ms=skew_ms)
        method, body = _method(delivery), delivery.body
        uri = decode_listed(self._origin + delivery.target)
        if self._any(signature, lambda secret: sign_v3(secret, method, uri, body, timestamp)):
            return Verdict(Reason.VALID, version="v3", skew_ms=skew_ms)

        def signs(url: bytes) -> bool:
            signed = decode_listed(url)
            return self._any(
                signature, lambda secret: sign_v3(secret, method, signed, body, timestamp)
            )

        return self._mismatch(delivery, signs, skew_ms)

    def _judge_hex(self, delivery: Delivery, version: str) -> Verdict:
        """Judge by v2 or v1, which share their headers and have no timestamp."""
        signature = delivery.headers.get(SIGNATURE)
        if not signature or not delivery.headers.get(SIGNATURE_VERSION):
            return _missing(delivery, SIGNATURE, SIGNATURE_VERSION)
        if delivery.headers[SIGNATURE_VERSION] != version.encode():
            return Verdict(Reason.MISSING, f"without a {version} signature")
        method, body = _method(delivery), delivery.body
        uri = self._origin + delivery.target

        def signs(url: bytes) -> bool:
            if version == "v1":
                return self._any(signature, lambda secret: sign_v1(secret, body))
            return self._any(signature, lambda secret: sign_v2(secret, method, url, body))

        if signs(uri):
            return Verdict(Reason.VALID, version=version)
        return self._mismatch(delivery, signs)

    def _any(self, signature: bytes, expected: Callable[[bytes], bytes]) -> bool:
        """Whether one of the secrets gives the signature; every secret is tried, at equal cost."""
        matches = False
        for secret in self._secrets:
            matches |= hmac.compare_digest(expected(secret), signature)
        return matches

    def _mismatch(
        self, delivery: Delivery, signs: Callable[[bytes], bool], skew_ms: int | None = None
    ) -> Verdict:
        """Tell a wrong secret from a wrong URL: nothing of this lifts the refusal.

        Either the signature is that of another URL, which the request's headers name, or HubSpot
        has sent a v1 signature along, which covers only the secret and the body.
        """
        checked = shown(self._origin + delivery.target)
        url = signed_url(delivery.headers, delivery.target, len(delivery.body), signs)
        if url is not None:
            detail = f"HubSpot signs {shown(url)}, but PUBLIC_URL makes it {checked}"
            return Verdict(
                Reason.WRONG_URL,
                detail,
                skew_ms=skew_ms,
                checked_url=checked,
                signed_url=shown(url),
            )
        sent = delivery.headers.get(SIGNATURE)
        version = delivery.headers.get(SIGNATURE_VERSION)
        if sent and version == b"v1":
            if self._any(sent, lambda secret: sign_v1(secret, delivery.body)):
                detail = (
                    "the secret and the body are right, the URL is not: PUBLIC_URL and the path "
                    f"make it {checked}, and the request came for "
                    f"{came_to(delivery.headers, delivery.target)}; it must be exactly the target "
                    "URL that HubSpot calls"
                )
                return Verdict(Reason.WRONG_URL, detail, skew_ms=skew_ms, checked_url=checked)
            detail = "HUBSPOT_CLIENT_SECRET is not the app's, or a proxy changed the body"
            return Verdict(Reason.WRONG_SECRET, detail, skew_ms=skew_ms, checked_url=checked)
        detail = (
            "HUBSPOT_CLIENT_SECRET is not the app's, or HubSpot calls another URL than "
            f"{checked}, or a proxy changed the body"
        )
        return Verdict(Reason.MISMATCH, detail, skew_ms=skew_ms, checked_url=checked)


def _method(delivery: Delivery) -> bytes:
    return delivery.method.encode(errors="replace")


def _missing(delivery: Delivery, *names: bytes) -> Verdict:
    absent = [name.decode() for name in names if not delivery.headers.get(name)]
    return Verdict(Reason.MISSING, f"without {' and '.join(absent)}")


def _stale(skew_ms: int) -> str:
    direction = "ahead of" if skew_ms > 0 else "behind"
    return (
        f"the request timestamp is {abs(skew_ms)} ms {direction} our clock, more than five "
        "minutes: a late or replayed delivery, or a clock that is off"
    )
