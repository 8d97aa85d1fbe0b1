"""Requests that schemathesis makes up from HubSpot's OpenAPI files never break the stand-in."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api
from tests.simulator_tests.specs import spec_folder
from tests.simulator_tests.tour import app_token

schemathesis: Any = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
EXAMPLES = 15
UNWATCHED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def batter(path: Path, url: str, token: str, known: dict[str, list[str]]) -> list[str]:
    """Return what was answered with 500 or more, over all operations of a file."""
    broken: list[str] = []
    rng = random.Random(path.name)
    for found in schemathesis.openapi.from_path(path).get_all_operations():
        operation = found.ok()

        @seed(1)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=UNWATCHED,
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:  # noqa: ANN401 - an untyped library
            for name, values in known.items():
                if name in (case.path_parameters or {}) and rng.random() < 0.8:
                    case.path_parameters[name] = rng.choice(values)
            answer = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"})
            if answer.status_code >= 500:
                broken.append(f"{case.method} {case.formatted_path} {answer.status_code}")

        one()
    return broken


async def test_schemathesis_finds_no_500(api: Api, simulator: Simulator) -> None:
    """Whatever the files allow and forbid, sensible ids in most paths: never a server error."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    calls = [str(account.create({"hs_call_title": "x"}).id) for _ in range(3)]
    known = {
        "objectType": ["calls", "0-48"],
        "fromObjectType": ["calls", "contacts"],
        "toObjectType": ["contacts", "calls"],
        "objectId": calls,
        "callId": calls,
        "fromObjectId": calls,
    }
    journal = await app_token(api, simulator)
    for path in sorted(spec_folder().glob("openapi-*.json")):
        token = journal if "journal" in path.name else api.token
        assert await asyncio.to_thread(batter, path, api.url, token, known) == []
