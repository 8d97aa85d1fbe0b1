"""`callstream subscriptions`, run as a user does, against the stand-in."""

import itertools
from pathlib import Path

import aiohttp
import msgspec
import pytest

from service.subscriptions import ABOUT_PROPERTIES, UNSUBSCRIBABLE
from tests.simulator.control import Control
from tests.simulator.messages import AccountState
from tests.simulator.model.properties import DEFINITIONS
from tests.simulator.process import Running
from tests.support.commands import CALLSTREAM, ROOT, run_command

PUBLIC_URL = "https://calls.example.com"
COMMAND = (*CALLSTREAM, "subscriptions")
FILE = ROOT / "deploy/hubspot/src/app/webhooks/webhooks-hsmeta.json"

_portals = itertools.count(640_000)


def subscribed(text: str) -> list[str]:
    """Return the properties that a file subscribes to."""
    entries = msgspec.json.decode(text)["config"]["subscriptions"]["crmObjects"]
    return [
        entry["propertyName"] for entry in entries if entry["subscriptionType"] == ABOUT_PROPERTIES
    ]


@pytest.fixture
async def account(control: Control, simulator: Running) -> AccountState:
    """A new account that defines a property of its own."""
    account = await control.open_account(next(_portals))
    made = {"name": "our_score", "label": "Score", "type": "number", "fieldType": "number"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            f"{simulator.url}/crm/properties/2026-03/calls",
            json=made | {"groupName": "call"},
            headers={"Authorization": f"Bearer {account.token}"},
        ) as response,
    ):
        response.raise_for_status()
    return account


def test_the_default_is_the_file_in_the_repository(tmp_path: Path) -> None:
    """For the default properties it prints, and writes, the file in deploy/hubspot."""
    printed = run_command(COMMAND, tmp_path, PUBLIC_URL=PUBLIC_URL)
    written = run_command([*COMMAND, "-o", "here.json"], tmp_path, PUBLIC_URL=PUBLIC_URL)

    assert printed.stdout == FILE.read_text()
    assert (tmp_path / "here.json").read_text() == FILE.read_text()
    assert written.stdout == f"here.json: 28 subscriptions to {PUBLIC_URL}/webhooks/hubspot\n"
    assert [printed.stderr, written.stderr] == ["", ""]
    assert [printed.returncode, written.returncode] == [0, 0]


def test_named_properties_are_subscribed_to(tmp_path: Path) -> None:
    """It asks nobody for the properties that the settings name."""
    settings = {"PUBLIC_URL": PUBLIC_URL, "CALL_PROPERTIES": "our_score,hs_call_title"}
    result = run_command([*COMMAND, "--json"], tmp_path, **settings)
    assert subscribed(result.stdout) == ["our_score", "hs_call_title"]


def test_all_properties_are_asked_for(
    account: AccountState, simulator: Running, tmp_path: Path
) -> None:
    """With `*` it lists what the account defines, but for what cannot be subscribed to."""
    settings = {
        "PUBLIC_URL": PUBLIC_URL,
        "CALL_PROPERTIES": "*",
        "HUBSPOT_API_URL": simulator.url,
        "HUBSPOT_ACCESS_TOKEN": account.token,
    }
    result = run_command(COMMAND, tmp_path, **settings)
    assert subscribed(result.stdout) == sorted({*DEFINITIONS, "our_score"} - UNSUBSCRIBABLE)


@pytest.mark.one_redis
def test_an_account_can_be_named(
    account: AccountState, simulator: Running, redis_url: str, tmp_path: Path
) -> None:
    """With --portal it asks that account, with the token that is known for it."""
    settings = {
        "PUBLIC_URL": PUBLIC_URL,
        "CALL_PROPERTIES": "*",
        "HUBSPOT_API_URL": simulator.url,
        "HUBSPOT_ACCESS_TOKEN": account.token,
        "HUBSPOT_PORTAL_ID": str(account.portal_id),
        "REDIS_URL": redis_url,
    }
    known = run_command([*COMMAND, "--portal", str(account.portal_id)], tmp_path, **settings)
    other = run_command([*COMMAND, "--portal", "7"], tmp_path, **settings)
    assert "our_score" in subscribed(known.stdout)
    assert other.returncode == 1
    assert f"belongs to account {account.portal_id}, not to 7" in other.stderr


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({}, 2, "PUBLIC_URL: is required by callstream subscriptions"),
        ({"PUBLIC_URL": "calls.example.com"}, 2, "PUBLIC_URL: must be an origin"),
        (
            {"PUBLIC_URL": PUBLIC_URL, "CALL_PROPERTIES": "*"},
            2,
            "HUBSPOT_ACCESS_TOKEN: is required",
        ),
        (
            {"PUBLIC_URL": PUBLIC_URL, "CALL_PROPERTIES": ",".join(map("p{}".format, range(996)))},
            1,
            "1001 subscriptions are more than the 1000",
        ),
    ],
)
def test_what_is_missing_is_said(
    tmp_path: Path, settings: dict[str, str], status: int, said: str
) -> None:
    """One line says what is missing or too much, and nothing is printed."""
    result = run_command(COMMAND, tmp_path, **settings)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith(f"callstream: {said}")
    assert len(result.stderr.splitlines()) == 1


def test_a_refused_token_is_one_line(simulator: Running, tmp_path: Path) -> None:
    """HubSpot's refusal is told without the token."""
    settings = {
        "PUBLIC_URL": PUBLIC_URL,
        "CALL_PROPERTIES": "*",
        "HUBSPOT_API_URL": simulator.url,
        "HUBSPOT_ACCESS_TOKEN": "revoked-t0ken",
    }
    result = run_command(COMMAND, tmp_path, **settings)
    assert result.returncode == 1
    assert result.stderr.startswith("callstream: unauthorised")
    assert "revoked" not in result.stderr
