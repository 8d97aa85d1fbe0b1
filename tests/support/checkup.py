"""Reads the doctor's findings, and pretends to be whatever may answer at a public URL."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from service.doctor.findings import Finding

_TLS_HELLO = b"\x16"
"""With what a TLS client begins."""

Short = tuple[str, str]
"""A finding's level, and what was said."""


def short(findings: Sequence[Finding]) -> Mapping[str, Short]:
    """Return the findings by check; each has something to do exactly if it is not well."""
    for finding in findings:
        assert bool(finding.todo) == (finding.level != "ok"), finding
        assert "\n" not in finding.said + finding.todo
    by_check = {finding.check: (finding.level, finding.said) for finding in findings}
    assert len(by_check) == len(findings), findings
    return by_check


def levels(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Return the level of each check."""
    return {check: level for check, (level, _) in short(findings).items()}


def todo(findings: Sequence[Finding], check: str) -> str:
    """Return what a check says is to be done."""
    return next(finding.todo for finding in findings if finding.check == check)


def answer_of(status: int, body: str = "", **headers: str) -> bytes:
    """Return an HTTP answer; underscores in the names of headers stand for hyphens."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


@asynccontextmanager
async def answering(
    answer: bytes, *, after_s: float = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[int]:
    """Answer every connection with the same bytes while inside; give the port on loopback."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if await reader.readexactly(1) != _TLS_HELLO:
                await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(after_s)
            writer.write(answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
