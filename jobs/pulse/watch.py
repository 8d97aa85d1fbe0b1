"""Judges by what its own commits answer whether a server has lost some of them. Pure.

Every commit of a process raises a count that the server keeps for this process alone, beside an
epoch that is random and made anew with an empty server. What a server loses is a tail of what it
was told (a torn append-only file, a replica that lagged) or all of it. Either way the next count is
one that this process has seen before, or the epoch is another one. A count of one's own is what no
other process can hide by going on.

Answers come in any order. A commit is judged by what was known when it was sent, and no two commits
may answer the same count. A process that commits nothing looks at its count from time to time.
"""

from collections import Counter
from typing import Literal

import msgspec

Finding = Literal["kept", "unsure", "lost"]
"""What an answer says of the process' acknowledged commits. `unsure`: this one, or an earlier one,
may be lost without a trace: it was under way when a loss was found, or one that failed may have
taken the count of one that was lost."""


class Sent(msgspec.Struct, frozen=True):
    """What was known when a commit was sent."""

    era: int
    """How many losses had been found."""
    floor: int
    """The highest count that had been answered."""
    doubts: int
    """How many commits before it had failed without a word of the server."""


class Watch:
    """What one process knows of its commits on one server."""

    def __init__(self) -> None:
        self.epoch = ""
        """The server's epoch; empty until the first answer."""
        self._era = 0
        self._highest = 0
        self._doubts = 0
        self._floors: Counter[int] = Counter()
        self._answered: set[int] = set()
        self._least = 0

    def send(self) -> Sent:
        """Take note that a commit, or a look at the count, is sent now."""
        self._floors[self._highest] += 1
        return Sent(self._era, self._highest, self._doubts)

    def refused(self, sent: Sent) -> None:
        """Take note that the server answered a commit with an error, or that a look has failed."""
        self._landed(sent)

    def failed(self, sent: Sent) -> None:
        """Take note that nobody knows what became of a commit."""
        self._landed(sent)
        if sent.era == self._era:
            self._doubts += 1

    def answered(self, sent: Sent, epoch: str, count: int) -> Finding:
        """Return what the answer to a commit says."""
        self._landed(sent)
        if sent.era != self._era:
            return "unsure"
        if self.epoch and (epoch != self.epoch or count <= sent.floor or count in self._answered):
            self._begin_era(epoch, count)
            return "lost"
        self.epoch = epoch
        self._highest = max(self._highest, count)
        self._answered.add(count)
        self._forget()
        return "unsure" if self._is_doubtful(sent, count) else "kept"

    def looked(self, sent: Sent, epoch: str, count: int) -> Finding:
        """Return what a look at the count says."""
        self._landed(sent)
        if sent.era != self._era:
            return "kept"
        if self.epoch and (epoch != self.epoch or count < sent.floor):
            self._begin_era(epoch, count)
            return "lost"
        self.epoch = epoch
        return "unsure" if self._is_doubtful(sent, count + 1) else "kept"

    def _is_doubtful(self, sent: Sent, count: int) -> bool:
        """Tell whether failed commits may have taken the places of lost ones, once of each."""
        self._doubts = max(0, self._doubts - sent.doubts)
        return sent.doubts > 0 and count <= sent.floor + sent.doubts

    def _landed(self, sent: Sent) -> None:
        if sent.era != self._era:
            return
        self._floors[sent.floor] -= 1
        if not self._floors[sent.floor]:
            del self._floors[sent.floor]

    def _begin_era(self, epoch: str, count: int) -> None:
        self._era += 1
        self.epoch = epoch
        self._highest = count
        self._doubts = 0
        self._floors.clear()
        self._answered.clear()
        self._least = count

    def _forget(self) -> None:
        """Forget the answered counts that no commit under way could repeat unnoticed."""
        least = min(self._floors, default=self._highest)
        if least > self._least:
            self._least = least
            self._answered = {count for count in self._answered if count > least}
