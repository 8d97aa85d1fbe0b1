"""Tells events that were already handled from new ones."""

from collections import OrderedDict
from typing import Final

from callstream_client.events import CallEvent, Event

CALLS: Final = 100_000
"""How many calls are remembered; some 20 MB."""


class Latest:
    """The newest sequence handled of each call, of as many calls as were met last.

    Streams are read at least once: after a crash or a lost acknowledgement an event comes again. A
    consumer that has its own store better keeps the sequence there, beside the call.
    """

    def __init__(self, calls: int = CALLS) -> None:
        """Remember at most `calls` calls."""
        self._calls = calls
        self._sequences: OrderedDict[str, str] = OrderedDict()

    def is_new(self, event: Event) -> bool:
        """Return False for an event that is no newer than one remembered of the same call.

        What is not about a call is always new.
        """
        if not isinstance(event, CallEvent):
            return True
        return event.sequence > self._sequences.get(event.partition_key, "")

    def remember(self, event: Event) -> None:
        """Take note that an event was handled."""
        if not isinstance(event, CallEvent) or not self.is_new(event):
            return
        self._sequences[event.partition_key] = event.sequence
        self._sequences.move_to_end(event.partition_key)
        if len(self._sequences) > self._calls:
            self._sequences.popitem(last=False)
