"""Accounts taken out of one Redis, and into another: encrypted under TOKEN_KEYS all the way."""

from collections.abc import Sequence
from typing import Final

import msgspec

from jobs.accounts.register import Issue, Record
from jobs.accounts.tokens import Tokens, seal, unseal
from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret

KIND: Final = "callstream-accounts"
VERSION: Final = 1
_ABOUT: Final = "an export of accounts"


class BundleError(Exception):
    """The file holds no accounts that can be read; the message says why."""


class Passenger(msgspec.Struct, frozen=True, kw_only=True):
    """An account on its way."""

    portal_id: int
    tokens: Tokens
    expires_at: int
    """When its access token expires, in epoch ms."""
    scopes: tuple[str, ...]


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The file: what it is stands open, what it holds is sealed."""

    kind: str
    version: int
    accounts: int
    sealed: str


class _Plain(msgspec.Struct, frozen=True, array_like=True):
    portal_id: int
    access: str
    refresh: str
    expires_at: int
    scopes: tuple[str, ...]


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(tuple[_Plain, ...])


def pack(vault: Vault, records: Sequence[Record]) -> bytes:
    """Return the accounts as a file.

    Raises:
        SealedError: the tokens of one do not open.
    """
    plain: list[_Plain] = []
    for record in records:
        tokens = unseal(vault, record.portal_id, record.sealed)
        access, refresh = tokens.access.reveal(), tokens.refresh.reveal()
        plain.append(_Plain(record.portal_id, access, refresh, record.expires_at, record.scopes))
    sealed = vault.seal(_packer.encode(plain), about=_ABOUT).decode()
    envelope = _Envelope(kind=KIND, version=VERSION, accounts=len(plain), sealed=sealed)
    return msgspec.json.format(msgspec.json.encode(envelope)) + b"\n"


def unpack(vault: Vault, raw: bytes) -> list[Passenger]:
    """Return the accounts that a file holds.

    Raises:
        BundleError: it is none of ours, is of a later release, or is sealed under another key.
    """
    try:
        envelope = msgspec.json.decode(raw, type=_Envelope)
    except ValueError:
        envelope = None
    if envelope is None or envelope.kind != KIND:
        msg = "this is no file of callstream accounts export"
        raise BundleError(msg)
    if envelope.version != VERSION:
        msg = f"this export has version {envelope.version}; this release reads version {VERSION}"
        raise BundleError(msg)
    try:
        plain = _unpacker.decode(vault.open(envelope.sealed.encode(), about=_ABOUT))
    except (SealedError, ValueError):
        msg = "the export is damaged, or sealed under a key that TOKEN_KEYS does not hold"
        raise BundleError(msg) from None
    return [
        Passenger(
            portal_id=one.portal_id,
            tokens=Tokens(Secret(one.access), Secret(one.refresh)),
            expires_at=one.expires_at,
            scopes=one.scopes,
        )
        for one in plain
    ]


def issue_of(vault: Vault, passenger: Passenger, now: int) -> Issue:
    """Return an account's tokens as they are kept; `now` is Redis' epoch ms."""
    left_ms = max(0, passenger.expires_at - now)
    return Issue(
        sealed=seal(vault, passenger.portal_id, passenger.tokens),
        life_ms=max(1, left_ms),
        age_ms=0 if left_ms else 1,
        scopes=passenger.scopes,
    )
