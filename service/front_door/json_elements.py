"""Takes a JSON body apart into the bytes of its elements, for when one of them is not as expected.

Decoding a whole body at once is several times faster; this is the way to keep the good elements of
one that cannot be decoded at once.
"""

import re

import msgspec

_array = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(msgspec.Raw)


MOST_NOTIFICATIONS = 50_000
"""Elements of one body: 16 MiB hold no more of HubSpot's, who sends up to a hundred at once."""
_MOST_COMMAS = 1_000_000


class UnreadableBodyError(ValueError):
    """The body is not JSON, or neither an array nor an object."""


class OvercrowdedBodyError(ValueError):
    """The body holds more elements than anybody has a use for."""


def check_crowd(body: bytes) -> None:
    """Check that a body of very many commas has not as many elements.

    Megabytes of `[1,1,1,...` would keep the process busy for half a minute, each as a dead letter.

    Raises:
        OvercrowdedBodyError: it has.
    """
    crowded = body.count(b",") > _MOST_COMMAS
    if not crowded:
        try:
            crowded = len(_array.decode(body)) > MOST_NOTIFICATIONS
        except (ValueError, RecursionError):
            return
    if crowded:
        msg = f"the body holds more than {MOST_NOTIFICATIONS} notifications"
        raise OvercrowdedBodyError(msg)


def split(body: bytes) -> list[bytes]:
    """Return the bytes of each element of an array; an object is its own only element.

    Raises:
        UnreadableBodyError: the body is not JSON, or neither an array nor an object.
        RecursionError: it is nested too deeply to tell.
    """
    try:
        return _split(body)
    except msgspec.DecodeError:
        mended = mend(body)
    try:
        return _split(mended)
    except msgspec.DecodeError as error:
        msg = f"the body is not JSON: {error}"
        raise UnreadableBodyError(msg) from error


def _split(body: bytes) -> list[bytes]:
    match body.lstrip(b" \t\r\n")[:1]:
        case b"[":
            return [bytes(element) for element in _array.decode(body)]
        case b"{":
            return [bytes(_value.decode(body))]
        case _:
            _value.decode(body)
            msg = "the body is neither an array nor an object"
            raise UnreadableBodyError(msg)


_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)"  # escaped backslashes, which open no escape; each run looked at once
    rb"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a surrogate pair
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}))"  # half of one
)


def mend(body: bytes) -> bytes:
    r"""Replace escaped surrogates without their other half by `\ufffd`.

    JSON allows them, as where a text was cut in the middle of an emoji; msgspec refuses them.
    """
    return _SURROGATE.sub(lambda escape: escape[1] + rb"\ufffd" if escape[2] else escape[0], body)
