"""Encrypts what must not lie open in Redis, under keys that can be changed.

Fernet: AES-128-CBC with HMAC-SHA256. What is sealed says what it is about, so that a value that
somebody moves to another account's key does not open there.
"""

from collections.abc import Sequence

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from jobs.config.values import Secret


class SealedError(Exception):
    """A value does not open: no key of ours made it, or it is about something else."""


class _Content(msgspec.Struct, frozen=True, array_like=True):
    about: str
    value: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class Vault:
    """Seals under the newest key, opens under any."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        """Use `keys`, the newest first, each 32 random bytes in URL-safe base64.

        Raises:
            ValueError: there is none.
        """
        fernets = [Fernet(key.reveal()) for key in keys]
        self._any = MultiFernet(fernets)
        self._newest = fernets[0]

    def seal(self, value: bytes, *, about: str) -> bytes:
        """Return the value encrypted under the newest key."""
        return self._any.encrypt(_encoder.encode(_Content(about, value)))

    def open(self, sealed: bytes, *, about: str) -> bytes:
        """Return what was sealed.

        Raises:
            SealedError: none of our keys sealed it, or it is about something else.
        """
        try:
            content = _decoder.decode(self._any.decrypt(sealed))
        except (InvalidToken, ValueError):
            msg = f"{about}: sealed under a key that TOKEN_KEYS does not hold, or not by us"
            raise SealedError(msg) from None
        if content.about != about:
            msg = f"{about}: what is sealed here is about something else"
            raise SealedError(msg)
        return content.value

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether the newest key sealed it."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True
