"""A dead letter as operators see it, without what was said, and which of them are meant."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from jobs import instants
from jobs.deadletters.envelope import KEPT, Kept

_KEPT: Final[Mapping[str, Kept]] = {word: word for word in KEPT}
_ID: Final = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a dead letter: everything but its bytes."""

    id: str
    at: str
    """When it was set aside, RFC 3339."""
    reason: str
    error: str
    """What went wrong at last."""
    first_error: str
    first_at: str
    """When something went wrong first, RFC 3339."""
    origin: str
    portal_id: int | None
    call_id: str | None
    attempts: int
    kept: Kept
    """How its bytes are kept: see `jobs.deadletters.envelope`."""
    raw_bytes: int
    """How many bytes are kept."""

    @property
    def can_be_replayed(self) -> bool:
        """Whether it names the call that is to be read again."""
        return self.portal_id is not None and self.call_id is not None


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters are meant: those that meet every wish; without any wish, all."""

    reason: str = ""
    portal_id: int | None = None
    since_ms: int = 0
    """Set aside at this epoch ms or later."""
    until_ms: int | None = None
    """Set aside before or in this epoch ms; None = no end."""

    def holds(self, letter: Letter) -> bool:
        """Tell whether the letter is meant, its time aside."""
        return self.reason in ("", letter.reason) and self.portal_id in (None, letter.portal_id)


def is_letter_id(text: str) -> bool:
    """Tell whether this may be the id of a letter."""
    return _ID.fullmatch(text) is not None


def letter_of(entry_id: str, raw_bytes: int, fields: Mapping[str, str]) -> Letter:
    """Return the letter of a stream entry; what an older release did not write is left empty."""

    def number(name: str) -> int:
        text = fields.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    at = int(entry_id.partition("-")[0])
    error, kept = fields.get("error", ""), fields.get("kept", "open")
    return Letter(
        id=entry_id,
        at=instants.ms_to_text(at) or "",
        reason=fields.get("reason", ""),
        error=error,
        first_error=fields.get("first_error") or error,
        first_at=instants.ms_to_text(number("first_at") or at) or "",
        origin=fields.get("origin", ""),
        portal_id=number("portal_id") or None,
        call_id=fields.get("call_id") or None,
        attempts=number("attempts"),
        kept=_KEPT.get(kept, ""),
        raw_bytes=raw_bytes,
    )


def letters_of(answer: object) -> Sequence[Letter]:
    """Return the letters that `jobs/lua/deadletters/look.lua` answers."""
    found: list[Letter] = []
    for entry_id, raw_bytes, told in msgspec.convert(answer, list[tuple[bytes, int, list[bytes]]]):
        texts = [word.decode(errors="replace") for word in told]
        fields = dict(zip(texts[::2], texts[1::2], strict=True))
        found.append(letter_of(entry_id.decode(), raw_bytes, fields))
    return found
