"""No token, secret, phone number or call body is written where it does not belong.

A deployment goes through everything that can go wrong while all of these are planted; then all that
its processes wrote is searched: logs at their most talkative, answers, the output of commands, and
Redis, where tokens may only lie sealed, and what was said on a call only on the streams: dead
letters have no values, or are sealed as well.
"""

import json
import re
from pathlib import Path

import pytest

from tests.simulator.switchboard import Fault
from tests.support.browser import Browser, query_of
from tests.support.commands import CALLSTREAM, run_command
from tests.support.connecting import Connecting
from tests.support.fleet import SECRET, WEBHOOK, Plan, fleet_of
from tests.support.planted import dumped, leaks
from tests.support.redis import MakeRedis
from tests.support.served import Reply, ask, notification, signed
from tests.support.trouble import SCALED
from tests.support.waiting import until

pytestmark = pytest.mark.one_redis

PHONE = "+15550001234567"
BODY = "planted-body-what-was-said-on-the-call"
ADMIN = "planted-admin-token"
CALL = {"hs_call_title": "A call", "hs_call_body": BODY, "hs_call_from_number": PHONE}
FAILURES = (
    Fault(effect="status", status=500, share=0.1, operation="calls.*"),
    Fault(effect="corrupt", share=0.1, operation="calls.*"),
    Fault(effect="truncate", share=0.1, operation="calls.*"),
    Fault(effect="cut_after", share=0.1, operation="*.batch_read"),
    Fault(
        effect="status",
        status=400,
        share=0.1,
        operation="calls.batch_read",
        body=f'{{"message":"{BODY}"}}',
    ),
    Fault(effect="status", status=429, share=0.05, body=f'{{"message":"{PHONE}"}}'),
)
PLAN = Plan(
    services=1,
    workers=2,
    balanced=False,
    knobs={"oauth_rate_limit": 1_000_000, "token_life_ms": 2_000},
    environ={"LOG_LEVEL": "debug", "ADMIN_TOKEN": ADMIN, **SCALED},
)


class Story:
    """What happens to the deployment, and what it answers."""

    def __init__(self, running: Connecting, folder: Path) -> None:
        self.written: dict[str, bytes] = {}
        self.planted = {
            "client secret": SECRET,
            "admin token": ADMIN,
            "token key": running.key.reveal(),
            "phone number": PHONE,
            "call body": BODY,
        }
        self._running = running
        self._folder = folder
        self._port = next(iter(running.ports.values()))

    def heard(self, reply: Reply) -> None:
        """Take down an answer of the service."""
        self.written[f"answer {len(self.written)}"] = reply.body

    async def installs(self) -> None:
        """An account installs the app, after all that may go wrong with that."""
        hubspot, portal_id = self._running.hubspot, self._running.portal_id
        browser = Browser(self._port)
        page = await browser.begin()
        self.planted["state"] = query_of(page)["state"]
        back = await browser.agree(page, portal_id)
        self.heard(await browser.open(back.replace("code=", "code=forged")))
        self.heard(await browser.open(back))
        self.heard(await browser.open(await browser.decline(await browser.begin())))
        for body in (f'{{"access_token":"{PHONE}"}}', "<html>", '{"error":"invalid_client"}'):
            back = await browser.agree(await browser.begin(), portal_id)
            fault = Fault(effect="status", status=400, operation="oauth.token", body=body)
            await hubspot.fault(fault)
            self.heard(await browser.open(back))
            await hubspot.clear_faults()
        self.heard(await browser.install(portal_id))
        self.planted |= {f"cookie {c.key}": c.value for c in browser.cookies.values()}

    async def deliveries(self) -> None:
        """Notifications come that are good, malformed, no JSON, forged, too large."""
        good = notification(512, portal_id=self._running.portal_id)
        bodies = [
            json.dumps([good, {"portalId": 1, "propertyValue": PHONE, "note": BODY}]),
            json.dumps([good | {"objectId": BODY, "propertyValue": PHONE}]),
            f"{BODY} {PHONE}",
            f'["{BODY}", "{PHONE}"]',
        ]
        origin = self._running.public_url
        for raw in (body.encode() for body in bodies):
            headers = signed(raw, secret=SECRET, origin=origin)
            self.heard(await ask(self._port, "POST", WEBHOOK, raw, headers))
            self.heard(await ask(self._port, "POST", WEBHOOK, raw, headers | {"X-Other": PHONE}))
            forged = signed(raw, secret="another", origin=origin)
            self.heard(await ask(self._port, "POST", WEBHOOK, raw, forged))
            self.heard(await ask(self._port, "POST", f"{WEBHOOK}?phone={PHONE}", raw, {}))

    async def calls(self) -> None:
        """Calls are logged while HubSpot's answers fail, are refused, and cannot be decoded."""
        hubspot = self._running.hubspot
        for fault in FAILURES:
            await hubspot.fault(fault)
        for _ in range(20):
            await hubspot.create(CALL)
        await hubspot.quiet()
        await hubspot.clear_faults()

    async def tokens(self) -> None:
        """Refreshing fails for a while, then for good; then the account installs anew."""
        hubspot, redis = self._running.hubspot, self._running.redis
        fault = Fault(effect="status", status=503, operation="oauth.token", body=f"{PHONE} {BODY}")
        await hubspot.fault(fault)
        await self._logged("token not refreshed")
        await hubspot.clear_faults()
        await hubspot.install(installed=False)
        await self._logged("account disconnected")
        self.heard(await self._running.connect())
        await redis.ping()

    async def _logged(self, words: str) -> None:
        """Let calls change until a worker has logged this."""
        hubspot = self._running.hubspot

        async def told() -> bool:
            await hubspot.notify({"subscriptionType": "object.propertyChange", "objectId": 7})
            return any(words in worker.text() for worker in self._running.workers)

        await until(told, timeout_s=30, every_s=0.1)

    def commands(self) -> None:
        """An operator looks, rotates, exports, imports, and makes mistakes."""
        key = self._running.environ["TOKEN_KEYS"]
        wrong = self._folder / "wrong.json"
        wrong.write_text(f'{{"kind":"callstream-accounts","secret":"{PHONE}"}}')
        export = str(self._folder / "accounts.json")
        for arguments in (
            ["status"],
            ["status", "--json"],
            ["dead", "list"],
            ["dead", "list", "--json"],
            ["dead", "replay", "--all"],
            ["accounts", "list"],
            ["accounts", "list", "--json"],
            ["accounts", "rotate"],
            ["accounts", "export", export],
            ["accounts", "import", export],
            ["accounts", "import", str(wrong)],
        ):
            self._run(arguments, TOKEN_KEYS=key)
        self._run(["accounts", "rotate"], TOKEN_KEYS=f"{PHONE}{BODY}")
        self._run(["worker"], HUBSPOT_API_URL=f"http://u:{ADMIN}@x", TOKEN_KEYS=key)

    def _run(self, arguments: list[str], **settings: str) -> None:
        environ = {name: value for name, value in self._running.environ.items() if value}
        result = run_command([*CALLSTREAM, *arguments], self._folder, **(environ | settings))
        assert "Traceback" not in result.stderr
        self.written["callstream " + " ".join(arguments)] = (result.stdout + result.stderr).encode()


async def test_nothing_planted_is_found(tmp_path: Path, make_redis: MakeRedis) -> None:
    """After all that can go wrong, none of what was planted stands anywhere it does not belong."""
    async with fleet_of(Connecting, PLAN, tmp_path, make_redis()) as running:
        story = Story(running, tmp_path)
        await story.installs()
        await story.deliveries()
        await story.calls()
        await story.tokens()
        story.commands()

        kept = await dumped(running.redis)
        logs = {program.name: program.text().encode() for program in running.programs[1:]}

    said = re.compile(r"redis fleet:calls:\{\d+\}$")
    streams = {place for place in kept if said.match(place)}
    assert len(streams) == 1
    assert kept["redis fleet:calls:dead"], "or nothing was set aside"
    assert BODY.encode() in b"".join(kept[place] for place in streams), "or nothing was planted"
    about_calls = {name: story.planted.pop(name) for name in ("phone number", "call body")}
    assert leaks(story.written | kept | logs, story.planted) == []
    elsewhere = {place: held for place, held in kept.items() if place not in streams}
    assert leaks(story.written | elsewhere | logs, about_calls) == []
    assert all(log for log in logs.values())


def test_what_is_planted_would_be_found() -> None:
    """The search finds planted values and tokens of the stand-in, wherever they stand."""
    issued = f"na1-refresh-{'0' * 40}"
    written = {"a log": f"x {PHONE} y".encode(), "b": issued.encode(), "c": b"nothing"}
    assert leaks(written, {"phone": PHONE}) == ["phone in a log", "na1-refresh-… in b"]
