"""The install flow in a real browser, from an operator's link to the first event on the stream."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from callstream_client.events import CREATED, CallEvent, decode

from tests.support.chromium import Page, chromium, find_chromium
from tests.support.commands import CALLSTREAM, run_command
from tests.support.connecting import Connecting
from tests.support.fleet import Plan, fleet_of
from tests.support.redis import MakeRedis
from tests.support.waiting import until

PROGRAM = find_chromium()

pytestmark = [
    pytest.mark.one_redis,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium on PATH: apt-get install chromium"),
]

PLAN = Plan(services=1, workers=1, balanced=False, environ={"OAUTH_ALLOWED_PORTALS": ""})
"""Accounts come by invitation only."""


@pytest.fixture
async def running(tmp_path: Path, make_redis: MakeRedis) -> AsyncIterator[Connecting]:
    """A deployment of which no account knows yet."""
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        yield running


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """The page of a new browser."""
    assert PROGRAM is not None
    async with chromium(PROGRAM, tmp_path) as page:
        yield page


def link(running: Connecting, folder: Path) -> str:
    """Return what `callstream accounts add` prints."""
    environ = {name: value for name, value in running.environ.items() if value}
    made = run_command([*CALLSTREAM, "accounts", "add"], folder, **environ)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


async def test_from_the_link_to_the_first_event(
    running: Connecting, page: Page, tmp_path: Path
) -> None:
    """Somebody opens the link, chooses an account, and its calls reach the stream at once."""
    await page.open(link(running, tmp_path))
    assert "Choose an account" in await page.text()
    assert urlsplit(await page.evaluate("location.href")).path == "/oauth/authorize"

    await page.click(f"a[href*='portal_id={running.portal_id}']")

    await page.screenshot(tmp_path / "connected.png")
    assert f"Account {running.portal_id} is connected" in await page.text()
    assert await page.evaluate("document.title") == f"Account {running.portal_id} is connected"
    call_id = await running.hubspot.create({"hs_call_title": "The first"})

    async def published() -> bool:
        entries = await running.redis.xrange("fleet:calls:{0}")
        events = [decode(fields) for _, fields in entries]
        created = [one for one in events if isinstance(one, CallEvent) and one.type == CREATED]
        return str(call_id) in {event.subject for event in created}

    await until(published, timeout_s=5)


async def test_what_the_browser_sees(running: Connecting, page: Page, tmp_path: Path) -> None:
    """Scripts see no cookie, the page's own style applies, and its policy is not run against."""
    await page.open(link(running, tmp_path))
    (cookie,) = await page.cookies()
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    await page.click(f"a[href*='portal_id={running.portal_id}']")

    assert await page.evaluate("document.cookie") == ""
    radius = "getComputedStyle(document.querySelector('main')).borderTopLeftRadius"
    assert await page.evaluate(radius) == "12px"
    assert await page.evaluate("document.querySelectorAll('script,img,link,iframe').length") == 0
    ours = running.public_url
    assert [told for told in page.complaints if ours in told] == []
    loading = "fetch('/health/live').then(() => 'loaded', () => 'refused')"
    assert await page.evaluate(loading) == "refused"


async def test_what_goes_wrong_is_told(running: Connecting, page: Page, tmp_path: Path) -> None:
    """Declining, coming back twice, and opening a spent link each lead to a page that says so."""
    url = link(running, tmp_path)
    await page.open(url)
    await page.click("a[href*='deny=1']")
    await page.screenshot(tmp_path / "declined.png")
    assert "Nothing was connected" in await page.text()

    await page.open(url)
    await page.click(f"a[href*='portal_id={running.portal_id}']")
    assert "is connected" in await page.text()
    await page.open(await page.evaluate("location.href"))
    assert "This install cannot be finished" in await page.text()

    await page.open(url)
    assert "This link is not good any more" in await page.text()
    await page.open(url.partition("?")[0])
    await page.screenshot(tmp_path / "needed.png")
    assert "An install link is needed" in await page.text()
