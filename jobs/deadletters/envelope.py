"""How a letter's bytes are kept: without their values where that can be, else encrypted, else open.

- `stripped`: a notification without its values, in the open.
- `sealed`: as they came, under the newest of TOKEN_KEYS.
- `open`: as they came, because there are no TOKEN_KEYS.
- empty: not kept, or there were none.
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret
from jobs.deadletters.stripping import stripped
from jobs.ledger.deadletters import RAW_BYTES, DeadLetter, fields

Kept = Literal["stripped", "sealed", "open", ""]

KEPT: Final[tuple[Kept, ...]] = get_args(Kept)

NOTIFICATIONS: Final = frozenset({"malformed-notification", "malformed-journal-entry"})
"""Reasons of letters that are about one notification, or one entry of the journal."""
_ABOUT: Final = "dead-letter"


class Envelope:
    """Puts letters' bytes away, and takes them out again."""

    def __init__(self, keys: Sequence[Secret] = ()) -> None:
        """Seal under the first of `keys`, if there is any, and open under all of them."""
        self._vault = Vault(keys) if keys else None

    def fields(self, letter: DeadLetter) -> list[bytes | str]:
        """Return the letter as the flat field list of a stream entry."""
        raw = letter.raw[:RAW_BYTES]
        if not raw:
            return fields(letter)
        shown = stripped(raw) if letter.reason in NOTIFICATIONS else None
        if shown is not None:
            return fields(letter, kept="stripped", raw=shown)
        if self._vault is None:
            return fields(letter, kept="open", raw=raw)
        return fields(letter, kept="sealed", raw=self._vault.seal(raw, about=_ABOUT))

    def open(self, kept: Kept, raw: bytes) -> bytes:
        """Return the bytes that a letter keeps.

        Raises:
            SealedError: they are sealed, and none of our keys opens them.
        """
        if kept != "sealed":
            return raw
        if self._vault is None:
            msg = "the letter's bytes are encrypted: TOKEN_KEYS is needed to see them"
            raise SealedError(msg)
        return self._vault.open(raw, about=_ABOUT)


OPEN: Final = Envelope()
"""Without keys: notifications are stripped, and all else is kept as it came."""
