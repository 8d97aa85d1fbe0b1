"""What is promised of what goes to Redis, and of what is read from there."""

import contextlib
import math
from typing import cast

import msgspec
from callstream_client import events

from jobs.ledger.hints import Hint, pack, unpack
from jobs.ledger.messages import Claim, Done, Later, Mark, Outcome, Verdict
from jobs.ledger.wire import PACKER, Settled, pack_marks, pack_verdicts
from jobs.ledger.wire import decode as decode_answer
from jobs.live.verdicts import Memo, decode_memo, encode_memo
from jobs.stream.records import BYTES, STATES, Record
from tests.fuzz.drawn import Drawn

_EXACT = 2**53
_NESTED = 16
"""What Redis' cmsgpack follows."""
_LAST_MS = 253_402_300_799_999
_KINDS = ("creation", "propertyChange", "deletion", "associationChange", "", "newer")


def fits_lua(packed: bytes) -> None:
    """Check that Redis' msgpack and Lua's numbers read what was packed as it was meant."""
    _fits(cast("object", msgspec.msgpack.decode(packed)), 0)


def _fits(value: object, depth: int) -> None:
    assert depth <= _NESTED
    match value:
        case None | bool() | str():
            return
        case int():
            assert -_EXACT <= value <= _EXACT
        case float():
            assert math.isfinite(value)
        case list():
            for item in cast("list[object]", value):
                _fits(item, depth + 1)
        case dict():
            for name, item in cast("dict[object, object]", value).items():
                _fits(name, depth + 1)
                _fits(item, depth + 1)
        case _:
            raise AssertionError(type(value).__name__)


def packing(data: bytes) -> None:
    """Marks and verdicts travel to Lua unharmed, and hints come back as they went."""
    drawn = Drawn(data)
    hints = [_hint(drawn) for _ in range(drawn.number(6))]
    marks = [
        Mark(1 + drawn.number(3), str(1 + drawn.number(5)), tuple(hints[: drawn.number(6)]))
        for _ in range(drawn.number(4))
    ]
    packed = pack(hints)
    kept = unpack(f"0|{packed.decisive}{packed.changes}")
    assert set(kept.hints) == set(hints)

    memo = Memo(tuple(hints), dropped_until=drawn.number(65_536))
    assert decode_memo(encode_memo(memo)) == memo
    verdicts: list[Verdict] = [Done(drawn.text()), Later(drawn.text(), 0, encode_memo(memo))]
    fits_lua(pack_marks(marks))
    fits_lua(pack_verdicts(verdicts))
    fits_lua(PACKER.encode(Outcome("failed", drawn.number(65_536), drawn.text())))


def _hint(drawn: Drawn) -> Hint:
    return Hint(
        drawn.choice(_KINDS),
        min(abs(drawn.integer()), _LAST_MS),
        drawn.text() or None,
        drawn.text() or None,
        drawn.text() or None,
        removed=drawn.chance(2),
    )


def records(data: bytes) -> None:
    """Bytes under a record's key are a record, written as they were read, or a ValueError."""
    try:
        record = Record.decode(data)
    except ValueError:
        assert len(data) != BYTES or data[-1] >= len(STATES)
        return
    numbers = (record.version, record.stamp, record.updated_at_ms)
    written = b"".join(number.to_bytes(6) for number in numbers) + record.digest
    assert written + bytes([STATES.index(record.state)]) == data


def answers(data: bytes) -> None:
    """What a script or a bucket holds is what it should be, or a ValueError."""
    for kind in (Claim, Settled):
        with contextlib.suppress(ValueError):
            decode_answer(data, kind)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    with contextlib.suppress(ValueError, RecursionError):
        unpack(text)
    with contextlib.suppress(ValueError, RecursionError):
        decode_memo(text)


def entries(data: bytes) -> None:
    """Whatever lies on a stream, its reader gets an event, if only one that says it is unknown.

    The input is the entry's fields, name and value by turns, a line each.
    """
    lines = data.split(b"\n")
    fields = dict(zip(lines[::2], lines[1::2], strict=False))
    event = events.decode(fields)
    if isinstance(event, events.CallEvent):
        written = events.encode_data(event.data)
        assert msgspec.json.decode(written, type=events.CallEventData) == event.data
