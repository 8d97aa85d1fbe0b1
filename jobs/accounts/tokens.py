"""An account's tokens, and how they are sealed."""

import msgspec

from jobs.accounts.register import Issue
from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret
from jobs.hubspot.oauth import Grant


class Tokens(msgspec.Struct, frozen=True):
    """What HubSpot gave for an account."""

    access: Secret
    """Goes with every request; short-lived."""
    refresh: Secret
    """Gets new access tokens, until the account uninstalls the app."""


class _Plain(msgspec.Struct, frozen=True, array_like=True):
    access: str
    refresh: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Plain)


def seal(vault: Vault, portal_id: int, tokens: Tokens) -> bytes:
    """Return the account's tokens encrypted."""
    plain = _Plain(tokens.access.reveal(), tokens.refresh.reveal())
    return vault.seal(_encoder.encode(plain), about=_about(portal_id))


def unseal(vault: Vault, portal_id: int, sealed: bytes) -> Tokens:
    """Return the account's tokens.

    Raises:
        SealedError: they do not open, or are not this account's.
    """
    raw = vault.open(sealed, about=_about(portal_id))
    try:
        plain = _decoder.decode(raw)
    except ValueError:
        msg = f"{_about(portal_id)}: what is sealed there are no tokens"
        raise SealedError(msg) from None
    return Tokens(Secret(plain.access), Secret(plain.refresh))


def issue_of(vault: Vault, portal_id: int, grant: Grant, age_ms: int) -> Issue:
    """Return what HubSpot granted `age_ms` ago as it is kept."""
    return Issue(
        sealed=seal(vault, portal_id, Tokens(grant.access, grant.refresh)),
        life_ms=grant.expires_in_s * 1000,
        age_ms=age_ms,
        scopes=grant.scopes,
    )


def _about(portal_id: int) -> str:
    return f"account {portal_id}"
