"""The windows of a search: which times of modification are asked for, page by page. Pure.

Windows are closed and lie in the past, so nothing enters one while it is paged. A call that is
modified meanwhile leaves its window for a later one, and no page shifts, for pages go by id.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

MOST_ROWS: Final = 9_000
"""A window of more is halved, well below the 10,000 that HubSpot's search gives of one query."""
FIRST_ID: Final = "0"
"""Below every id."""


class DisorderError(ValueError):
    """A page is not in the order of ids that was asked for, so paging by id would skip rows."""


class Windows(msgspec.Struct, frozen=True):
    """What of a span of time is still to be searched; times are HubSpot's, in epoch ms."""

    low: int
    """The first time that is not wholly searched: all before it is."""
    highs: tuple[int, ...]
    """The last times, inclusive, of the windows that are left: the last of them is at work, and
    each begins where the one after it ends. Empty at the end."""
    last_id: str = FIRST_ID
    """The last call that the window at work has shown."""

    @property
    def high(self) -> int:
        """The last time of the window at work."""
        return self.highs[-1]

    def after(self, total: int, ids: Sequence[str | None]) -> "Windows":
        """Return what is left after a page of the window at work.

        Args:
            total: how many calls of the window lie above `last_id`, as HubSpot says.
            ids: those of the page's rows, in their order; None where one could not be read.

        Raises:
            DisorderError: the rows do not ascend from `last_id`, or none of them has an id.
        """
        if self.last_id == FIRST_ID and total > MOST_ROWS and self.low < self.high:
            middle = (self.low + self.high) // 2
            return Windows(self.low, (*self.highs, middle))
        last_id = self._last_of(ids)
        if not ids or len(ids) >= total:
            return Windows(self.high + 1, self.highs[:-1])
        return Windows(self.low, self.highs, last_id)

    def is_halved_by(self, left: "Windows") -> bool:
        """Tell whether `left` is a half of the window at work, whose page then does not count."""
        return len(left.highs) > len(self.highs)

    def _last_of(self, ids: Sequence[str | None]) -> str:
        last = int(self.last_id)
        for call_id in filter(None, ids):
            if int(call_id) <= last:
                msg = "the search's rows are not in the order of their ids"
                raise DisorderError(msg)
            last = int(call_id)
        if ids and last == int(self.last_id):
            msg = "no row of the search's page has a readable id"
            raise DisorderError(msg)
        return str(last)


def begin(since: int, until: int) -> Windows:
    """Return the windows of a span, both ends inclusive; none if it is empty."""
    return Windows(since, (until,) if since <= until else ())
