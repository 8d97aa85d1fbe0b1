"""Notifications that HubSpot did not send."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Window
from tests.support.fleet import SECRET, WEBHOOK
from tests.support.served import ask, notification, signed

ROUNDS: Final = 12
EVERY_S: Final = 0.15
OLD_MS: Final = -400_000
"""Older than five minutes: a replay."""

Headers = Mapping[str, str]


async def _forge(scene: Scene) -> Proof:
    """Send notifications unsigned, wrongly signed and replayed; none may be taken."""
    origin = scene.running.public_url
    forgers: tuple[Callable[[bytes], Headers], ...] = (
        lambda _body: {},
        lambda body: signed(body, secret="another secret", origin=origin),
        lambda body: signed(body, secret=SECRET, origin="https://elsewhere.example.com"),
        lambda body: signed(body, secret=SECRET, origin=origin, skew_ms=OLD_MS),
        lambda body: signed(body + b" ", secret=SECRET, origin=origin),
    )
    sent = 0
    for number in range(ROUNDS):
        body = json.dumps([notification(1 + number, portal_id=scene.running.portal_id)]).encode()
        for forger in forgers:
            port = scene.rng.choice([*scene.running.ports.values()])
            reply = await ask(port, "POST", WEBHOOK, body, forger(body))
            sent += 1
            if reply.status != HTTPStatus.UNAUTHORIZED:
                scene.broken.append(f"a forgery was answered {reply.status} at {time.time():.0f}")
        await asyncio.sleep(EVERY_S)
    return Proof(count=sent, what="forgeries sent", needed=ROUNDS)


WINDOWS: Final = (
    Window(
        name="forgeries",
        fault="notifications unsigned, signed with other secrets, for other URLs, replayed",
        strike=_forge,
    ),
)
