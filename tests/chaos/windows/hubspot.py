"""HubSpot's API fails in every way that it is known to fail in."""

import asyncio
from collections.abc import Sequence
from typing import Final

from tests.chaos.scene import Scene
from tests.chaos.window import Proof, Strike, Window
from tests.simulator.switchboard import Fault

LASTS_S: Final = 3.0
AN_HOUR_S: Final = 12.0
"""What is left of an hour's outage: longer than any wait between two probes, scaled."""


def _failing(*faults: Fault, lasts_s: float = LASTS_S) -> Strike:
    """Let faults strike side by side for so long; each must have struck."""

    async def strike(scene: Scene) -> Proof:
        ids = [await scene.hubspot.fault(fault) for fault in faults]
        await asyncio.sleep(lasts_s)
        for fault_id in ids:
            await scene.hubspot.clear_faults(fault_id)
        struck = (await scene.hubspot.faults()).struck
        fewest = min(struck[fault_id] for fault_id in ids)
        return Proof(count=fewest, what="answers struck, of the fault with the fewest")

    return strike


def _window(name: str, fault: str, faults: Sequence[Fault], lasts_s: float = LASTS_S) -> Window:
    return Window(name=name, fault=fault, strike=_failing(*faults, lasts_s=lasts_s))


def _status(status: int, share: float) -> Fault:
    return Fault(effect="status", status=status, share=share)


WINDOWS: Final = (
    _window(
        "hubspot-429",
        "a third of the answers is 429, with and without Retry-After",
        [
            Fault(effect="status", status=429, share=0.2, retry_after="1"),
            Fault(effect="status", status=429, share=0.15),
        ],
    ),
    _window(
        "hubspot-5xx",
        "half of the answers is 500, 502 or 503",
        [_status(500, 0.2), _status(502, 0.2), _status(503, 0.2)],
    ),
    _window(
        "hubspot-hangs",
        "a third of the requests is never answered",
        [Fault(effect="hang", share=0.3)],
    ),
    _window(
        "hubspot-cuts",
        "connections are closed before the work or after it",
        [Fault(effect="cut", share=0.2), Fault(effect="cut_after", share=0.2)],
    ),
    _window(
        "hubspot-truncates",
        "bodies end half way",
        [Fault(effect="truncate", share=0.4)],
    ),
    _window(
        "hubspot-corrupts",
        "bodies are no JSON",
        [Fault(effect="corrupt", share=0.4)],
    ),
    _window(
        "hubspot-wrong-json",
        "bodies are JSON, and not what was asked for",
        [
            Fault(effect="status", status=200, share=0.2, body='{"results": 5}'),
            Fault(effect="status", status=200, share=0.2, body="[]"),
        ],
    ),
    _window("hubspot-401", "the token is refused", [_status(401, 1.0)]),
    _window(
        "hubspot-stale",
        "replicas show calls as they were one to three changes ago",
        [
            Fault(effect="stale", steps=1, share=0.3, operation="calls.*"),
            Fault(effect="stale", steps=3, share=0.2, operation="calls.*"),
        ],
    ),
    Window(
        name="hubspot-stale-links",
        fault="replicas show associations as they were a change ago; nothing tells their age",
        strike=_failing(Fault(effect="stale", steps=1, share=0.3, operation="associations.*")),
        promise="round",
    ),
    _window(
        "hubspot-hour-out",
        "an hour's outage, compressed: nothing but 503",
        [_status(503, 1.0)],
        AN_HOUR_S,
    ),
)
