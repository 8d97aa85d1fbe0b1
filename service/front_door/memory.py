"""What this process has acknowledged lately, in case Redis loses it. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

MOST_BYTES: Final = 64 * 2**20
"""Of remembered commits; a notification takes some 100 to 150 bytes packed."""


class Told(msgspec.Struct, frozen=True):
    """One commit as it was sent to the ledger; see `jobs.ledger.ledger.Ledger.pack`."""

    at: float
    """When Redis took it, on the process' clock in s."""
    marks: bytes
    letters: Sequence[bytes | str]

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return len(self.marks) + sum(map(len, self.letters))


class Memory:
    """The commits of the last seconds in their order, within a bound."""

    def __init__(self, keep_s: float, most_bytes: int = MOST_BYTES) -> None:
        """Remember each commit for `keep_s`, and no more than `most_bytes` of them."""
        self._keep_s = keep_s
        self._most = most_bytes
        self._held: deque[Told] = deque()
        self._bytes = 0
        self.forgotten = 0
        """Commits that were forgotten before their time, for want of room."""

    def __len__(self) -> int:
        """Return how many commits are remembered."""
        return len(self._held)

    def keep(self, told: Told) -> None:
        """Remember a commit; the oldest ones make room."""
        self._held.append(told)
        self._bytes += told.size
        while self._bytes > self._most:
            self._drop()
            self.forgotten += 1

    def confirmed(self, at: float) -> None:
        """Forget what was taken long enough before `at`, when Redis was seen to have kept all.

        While nobody has seen that nothing is forgotten, however long it takes: the seconds before
        an outage are those that may be lost.
        """
        while self._held and self._held[0].at < at - self._keep_s:
            self._drop()

    def take(self) -> list[Told]:
        """Return all that is remembered, and forget it."""
        taken = list(self._held)
        self._held.clear()
        self._bytes = 0
        return taken

    def _drop(self) -> None:
        self._bytes -= self._held.popleft().size
