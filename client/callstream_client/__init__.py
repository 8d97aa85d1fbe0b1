"""Typed events and a reader for Callstream's streams."""

from callstream_client.events import (
    Call,
    CallEvent,
    CallEventData,
    Change,
    Event,
    NoticeData,
    NoticeEvent,
    Outcome,
    UnknownEvent,
    decode,
)
from callstream_client.follow import follow
from callstream_client.latest import Latest
from callstream_client.reader import Handler, Reader, ReaderCounts, ReaderOptions
from callstream_client.wire import Delivery

__all__ = [
    "Call",
    "CallEvent",
    "CallEventData",
    "Change",
    "Delivery",
    "Event",
    "Handler",
    "Latest",
    "NoticeData",
    "NoticeEvent",
    "Outcome",
    "Reader",
    "ReaderCounts",
    "ReaderOptions",
    "UnknownEvent",
    "decode",
    "follow",
]
