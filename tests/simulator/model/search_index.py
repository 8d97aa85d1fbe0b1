"""Which calls search sees, in the two orders that it can be asked for cheaply."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

from tests.simulator.clock import parse_time
from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call, Change
from tests.simulator.model.sorted import SortedKeys

_ID_BITS = 63
_ID_MASK = (1 << _ID_BITS) - 1
MOST_ID = _ID_MASK
MOST_MS = 1 << 48


RECENT = 100_000
"""So many of the latest changes are looked at for those that are not to be seen yet."""


class SearchIndex:
    """A copy of the live calls that lags behind: a change is seen only after the delay.

    It is built on the first search, so accounts that are never searched pay nothing.
    """

    def __init__(self, account: Account, until_ms: int) -> None:
        self._account = account
        live = [account.calls[call_id] for call_id in account.live]
        self._at = {call.id: parse_time(call.updated_at) for call in live}
        self._modified = SortedKeys(at << _ID_BITS | call_id for call_id, at in self._at.items())
        self._ids = SortedKeys(self._at)
        self._waiting: deque[tuple[int, int]] = deque()
        self._blurred: dict[int, int] = {}
        for change in islice(reversed(account.log), RECENT):
            if change.at > until_ms:
                self._waiting.appendleft((change.at, change.call_id))
                self._blurred[change.call_id] = self._blurred.get(change.call_id, 0) + 1
        for call_id in self._blurred:
            self._refresh(self.visible(call_id, until_ms))
        account.listeners.append(self._hear)

    def _hear(self, _account: Account, change: Change) -> None:
        self._waiting.append((change.at, change.call_id))
        self._blurred[change.call_id] = self._blurred.get(change.call_id, 0) + 1

    def catch_up(self, until_ms: int) -> None:
        """See every change up to that time."""
        while self._waiting and self._waiting[0][0] <= until_ms:
            call_id = self._waiting.popleft()[1]
            self._blurred[call_id] -= 1
            if not self._blurred[call_id]:
                del self._blurred[call_id]
            self._refresh(self.visible(call_id, until_ms))

    def _refresh(self, call: Call) -> None:
        before = self._at.pop(call.id, None)
        if before is not None:
            self._modified.remove(before << _ID_BITS | call.id)
            self._ids.remove(call.id)
        if call.state == "live":
            at = parse_time(call.updated_at)
            self._at[call.id] = at
            self._modified.add(at << _ID_BITS | call.id)
            self._ids.add(call.id)

    def visible(self, call_id: int, until_ms: int) -> Call:
        """Return a call as search sees it."""
        call = self._account.calls[call_id]
        return call.at(until_ms) if call_id in self._blurred else call

    def modified_at(self, call_id: int) -> int:
        """Return when a call was last modified, as search sees it, in epoch ms."""
        return self._at[call_id]

    def by_id(self, low: int, high: int, *, descending: bool = False) -> Iterator[int]:
        """Yield the ids between two, both inclusive."""
        return self._ids.between(low, high, descending=descending)

    def by_modification(self, low: int, high: int, *, descending: bool = False) -> Iterator[int]:
        """Yield the ids of calls modified between two times, both inclusive, in that order."""
        first, last = low << _ID_BITS, high << _ID_BITS | _ID_MASK
        for key in self._modified.between(first, last, descending=descending):
            yield key & _ID_MASK

    def count_ids(self, low: int, high: int) -> int:
        """Return how many ids lie between two, both inclusive."""
        return max(0, self._ids.rank(high + 1) - self._ids.rank(low))

    def count_modified(self, low: int, high: int) -> int:
        """Return how many calls were modified between two times, both inclusive."""
        upto = self._modified.rank((high + 1) << _ID_BITS)
        return max(0, upto - self._modified.rank(low << _ID_BITS))
