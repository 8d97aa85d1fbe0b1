"""HubSpot's three request signatures, as its validation guide defines them."""

import base64
import hashlib
import hmac
import re

_DECODED = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)


def sign_v1(secret: str, body: bytes) -> str:
    """Return `X-HubSpot-Signature` of version 1: hex SHA-256 of secret and body."""
    return hashlib.sha256(secret.encode() + body).hexdigest()


def sign_v2(secret: str, method: str, uri: str, body: bytes) -> str:
    """Return `X-HubSpot-Signature` of version 2: hex SHA-256 over method and URI as well."""
    return hashlib.sha256(f"{secret}{method}{uri}".encode() + body).hexdigest()


def sign_v3(secret: str, method: str, uri: str, body: bytes, timestamp_ms: int) -> str:
    """Return `X-HubSpot-Signature-v3`: base64 HMAC-SHA256.

    Twelve escapes of the URI are decoded first, and no others.
    """
    decoded = _ESCAPE.sub(lambda match: _DECODED[match[0].upper()], uri)
    message = f"{method}{decoded}".encode() + body + str(timestamp_ms).encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()
