"""Makes choices out of bytes, so that a fuzzer's input becomes documents that are nearly right."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_DEEPEST = 4
_EDGES: tuple[int, ...] = (
    0,
    1,
    -1,
    2**31,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64,
    10**30,
    253_402_300_799_999,
    1_751_276_050_977,
)
_TEXTS: tuple[str, ...] = (
    "",
    "0-48",
    "0-1",
    "512",
    "0512",
    "true",
    "1e3",
    "2024-01-15T11:00:00.000Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999-23:59",
    "\x00",
    "\u2028|\n",
    "\U0001f600",
    "\u0661",
    "\uffff",
)


class Drawn:
    """Choices drawn from bytes, one after the other; when they run out, every choice is the first.

    The same bytes always give the same choices.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Return a number from 0 up to, not including, `below`, which is at most 65,536."""
        width = 1 if below <= 256 else 2
        taken = self._data[self._at : self._at + width]
        self._at += width
        return int.from_bytes(taken) % below

    def chance(self, one_in: int) -> bool:
        """Return True for one in so many inputs; False once the bytes have run out."""
        return self.number(one_in) == one_in - 1

    def choice(self, among: Sequence[T]) -> T:
        """Return one of them."""
        return among[self.number(len(among))]

    def text(self) -> str:
        """Return a known awkward text, or one out of the bytes; never half a surrogate pair."""
        if self.chance(3):
            length = self.number(64)
            taken = self._data[self._at : self._at + length]
            self._at += length
            return taken.decode("utf-8", "replace")
        return self.choice(_TEXTS)

    def integer(self) -> int:
        """Return an integer, often one at the edge of what some type holds."""
        return self.number(65_536) if self.chance(3) else self.choice(_EDGES)

    def value(self, depth: int = 0) -> object:
        """Return any JSON value."""
        plain = (None, bool(self.number(2)), self.integer(), self.text(), self.integer() / 1_000)
        kind = self.number(len(plain) + 3 if depth < _DEEPEST else len(plain))
        if kind < len(plain):
            return plain[kind]
        if kind == len(plain):
            return [self.value(depth + 1) for _ in range(self.number(4))]
        return {self.text(): self.value(depth + 1) for _ in range(self.number(4))}

    def members(self, names: Sequence[str], usual: object = None) -> dict[str, object]:
        """Return an object with some of the names, most values `usual` or odd ones."""
        found: dict[str, object] = {}
        for name in names:
            if self.chance(4):
                continue
            found[name] = usual if usual is not None and self.chance(2) else self.value()
        return found
