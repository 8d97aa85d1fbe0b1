"""What was asked of the simulator: requests by operation, and the busiest ten seconds."""

import msgspec

from tests.simulator.limits import Window

PEAK_MS = 10_000

OBJECT_READS = frozenset({"calls.list", "calls.get", "calls.batch_read"})
ASSOCIATION_READS = frozenset({"associations.list", "associations.batch_read"})


class Counts(msgspec.Struct):
    """Requests of one account."""

    by_operation: dict[str, int] = {}
    by_status: dict[int, int] = {}
    object_reads: int = 0
    association_reads: int = 0
    peak_10s: int = 0
    """The most requests in any sliding 10 s, refused ones included, searches not."""
    refused: int = 0
    """Answered 429 by a limit (not by a fault)."""


class Meter:
    """Counts the requests of one account."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._window = Window()

    def came(self, operation: str, now_ms: int, *, public: bool) -> None:
        """Count a request as it comes in."""
        counts = self.counts
        counts.by_operation[operation] = counts.by_operation.get(operation, 0) + 1
        counts.object_reads += operation in OBJECT_READS
        counts.association_reads += operation in ASSOCIATION_READS
        if public:
            self._window.add(now_ms, PEAK_MS)
            counts.peak_10s = self._window.peak

    def went(self, status: int) -> None:
        """Count an answer."""
        counts = self.counts
        counts.by_status[status] = counts.by_status.get(status, 0) + 1
