"""A real Chromium without a window, driven over its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import shutil
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from service.embedded.child import Kept
from tests.support.waiting import until

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
START_WITHIN_S: Final = 60.0


class Cookie(msgspec.Struct, rename="camel"):
    """A cookie as the browser keeps it."""

    name: str
    value: str
    http_only: bool
    secure: bool
    same_site: str = ""


class _Told(msgspec.Struct):
    """What the browser says: the answer to an order, or an event."""

    id: int | None = None
    method: str = ""
    params: dict[str, Any] = {}
    result: dict[str, Any] = {}
    error: object = None


class Page:
    """The one open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the browser logged: refused styles and scripts, failed requests."""

    async def open(self, url: str) -> None:
        """Go to an address and wait until it is shown, redirects and all."""
        await self._order("Page.navigate", url=url)
        await self._shown()

    async def click(self, selector: str) -> None:
        """Click what the selector finds first, and wait for the page that it leads to."""
        word = msgspec.json.encode(selector).decode()
        await self.evaluate(f"(document.querySelector({word}).click(), window.left = true)")

        async def gone() -> bool:
            return not await self.evaluate("window.left === true")

        await until(gone)
        await self._shown()

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page answers
        """Return what an expression of JavaScript comes to in the page; a promise is awaited."""
        answer = await self._order(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return answer["result"].get("value")

    async def text(self) -> str:
        """Return what a reader sees."""
        return str(await self.evaluate("document.body.innerText"))

    async def cookies(self) -> list[Cookie]:
        """Return all cookies, those that no script sees included."""
        answer = await self._order("Network.getAllCookies")
        return msgspec.convert(answer["cookies"], list[Cookie])

    async def screenshot(self, file: Path) -> None:
        """Write what a reader sees to a PNG."""
        answer = await self._order("Page.captureScreenshot", format="png")
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))

    async def prepare(self) -> None:
        """Let the browser tell what it logs."""
        for name in ("Page", "Network", "Log", "Runtime"):
            await self._order(f"{name}.enable")

    async def _shown(self) -> None:
        async def complete() -> bool:
            state = "document.readyState === 'complete' && location.href !== 'about:blank'"
            return bool(await self.evaluate(state))

        await until(complete)

    async def _order(self, method: str, **parameters: object) -> Mapping[str, Any]:
        number = next(self._numbers)
        order = {"id": number, "method": method, "params": parameters}
        await self._socket.send_str(msgspec.json.encode(order).decode())
        async with asyncio.timeout(START_WITHIN_S):
            while True:
                told = msgspec.json.decode(await self._socket.receive_str(), type=_Told)
                if told.method == "Log.entryAdded":
                    entry = told.params["entry"]
                    self.complaints.append(f"{entry['text']} {entry.get('url', '')}".strip())
                if told.id == number:
                    assert told.error is None, told.error
                    return told.result


def find_chromium() -> str | None:
    """Return where a Chromium is on this machine, None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextlib.asynccontextmanager
async def chromium(program: str, folder: Path) -> AsyncGenerator[Page]:
    """Run a Chromium that knows nothing of an earlier one, and yield its page."""
    profile, log = folder / "profile", folder / "chromium.log"
    with log.open("wb") as output:
        process = Kept(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], output=output
        )
    try:
        process.start()
        port = profile / "DevToolsActivePort"

        async def listens() -> bool:
            return await asyncio.to_thread(port.exists) and bool(port.read_text().strip())

        await until(listens, timeout_s=START_WITHIN_S, every_s=0.05)
        url = f"http://127.0.0.1:{port.read_text().splitlines()[0]}"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{url}/json/list") as answer:
                targets = msgspec.json.decode(await answer.read(), type=list[dict[str, Any]])
            page = next(target for target in targets if target["type"] == "page")
            address = page["webSocketDebuggerUrl"]
            async with http.ws_connect(address, max_msg_size=0) as socket:
                opened = Page(socket)
                await opened.prepare()
                yield opened
    finally:
        await asyncio.to_thread(process.close)
