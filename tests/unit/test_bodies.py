"""A body is read whole, byte for byte, or refused within bounds."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

import pytest
from litestar.types import HTTPDisconnectEvent, HTTPRequestEvent, Receive

from jobs.timing import Timing
from service.front_door.body import BodyReader, DisconnectedError
from service.problems import RefusedError


def chunk(body: bytes, *, more: bool) -> HTTPRequestEvent:
    """Return an ASGI event with a part of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


GONE: HTTPDisconnectEvent = {"type": "http.disconnect"}


def receiving(*events: HTTPRequestEvent | HTTPDisconnectEvent) -> Receive:
    """Return what an ASGI server hands the application, hanging once the events are out."""
    left = list(events)

    async def receive() -> HTTPRequestEvent | HTTPDisconnectEvent:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


async def refusal(reader: BodyReader, receive: Receive, announced: bytes = b"") -> HTTPStatus:
    """Return the status that the body is refused with."""
    with pytest.raises(RefusedError) as refused:
        await reader.read({b"content-length": announced} if announced else {}, receive)
    return refused.value.problem.status


@pytest.mark.parametrize(
    "parts", [[b""], [b"abc"], [b"a", b"b", b"c"], [b"", b"", b"abc", b""], [b"0123456789"]]
)
async def test_whole(parts: Sequence[bytes]) -> None:
    """However it is cut, the body is what was sent, up to exactly the bound."""
    events = [chunk(part, more=True) for part in parts[:-1]] + [chunk(parts[-1], more=False)]

    assert await BodyReader(10, Timing()).read({}, receiving(*events)) == b"".join(parts)


async def test_keys_are_optional() -> None:
    """An event without body and without more_body is an empty end, as ASGI has it."""

    async def receive() -> HTTPRequestEvent:
        return {"type": "http.request"}  # type: ignore[typeddict-item]

    assert await BodyReader(10, Timing()).read({}, receive) == b""


async def test_too_large_as_announced() -> None:
    """A body that announces itself as too large is refused before anything is read."""
    assert (
        await refusal(BodyReader(10, Timing()), receiving(), b"11")
        is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    )


@pytest.mark.parametrize("announced", [b"", b"5", b"-1", b"many"])
async def test_too_large_as_read(announced: bytes) -> None:
    """A body that turns out too large is refused as soon as it is, whatever it announced."""
    endless = [chunk(b"x" * 6, more=True)] * 2

    status = await refusal(BodyReader(10, Timing()), receiving(*endless), announced)

    assert status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert (
        await refusal(BodyReader(10, Timing()), receiving(chunk(b"x" * 11, more=False)))
        is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    )


async def test_too_slow() -> None:
    """A body that stops coming is refused in time."""
    reader = BodyReader(10, Timing(body_read_ms=20))

    assert await refusal(reader, receiving(chunk(b"x", more=True))) is HTTPStatus.REQUEST_TIMEOUT


async def test_client_gone() -> None:
    """A client that went away gets no answer."""
    with pytest.raises(DisconnectedError):
        await BodyReader(10, Timing()).read({}, receiving(chunk(b"x", more=True), GONE))


async def test_too_much_at_once() -> None:
    """Unfinished bodies share a bound; what ends, however it ends, gives its room back."""
    reader = BodyReader(10, Timing(), most_at_once=15)
    held = [
        asyncio.create_task(reader.read({}, receiving(chunk(b"x" * 7, more=True))))
        for _ in range(2)
    ]
    await asyncio.sleep(0)

    status = await refusal(reader, receiving(chunk(b"xx", more=True)))

    assert status is HTTPStatus.SERVICE_UNAVAILABLE
    for task in held:
        task.cancel()
    await asyncio.wait(held)
    assert await reader.read({}, receiving(chunk(b"x" * 5, more=True), chunk(b"x" * 5, more=False)))
