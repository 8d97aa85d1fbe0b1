"""What to enter in a HubSpot app."""

from pathlib import Path

import msgspec
import pytest

from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.config.urls import CALLBACK_PATH
from jobs.hubspot.consent import scopes_for
from service.front_door import webhooks
from service.subscriptions import (
    ABOUT_CALLS,
    ABOUT_PROPERTIES,
    MOST,
    WEBHOOK_PATH,
    TooManySubscriptionsError,
    component,
    instructions,
)

URL = "https://calls.example.com"
PROJECT = Path(__file__).resolve().parents[2] / "deploy" / "hubspot"


def test_the_path_is_the_one_that_is_served() -> None:
    """The URL to register is where the service takes notifications."""
    assert webhooks.PATH == WEBHOOK_PATH
    assert f"  target URL     {URL}{WEBHOOK_PATH}" in instructions(Settings(public_url=URL))


def test_there_is_a_subscription_per_kind_and_per_property() -> None:
    """Each kind of change, and each property that is read, is one subscription."""
    lines = instructions(Settings(public_url=URL))
    subscriptions = [line for line in lines if line.startswith("  subscription")]
    assert len(subscriptions) == len(ABOUT_CALLS) + len(DOCUMENTED_PROPERTIES)


def test_hubspots_bookkeeping_is_not_subscribed_to() -> None:
    """HubSpot refuses a subscription to hs_lastmodifieddate, so none is asked for."""
    settings = Settings(public_url=URL, call_properties=("hs_call_title", "hs_lastmodifieddate"))
    assert "hs_lastmodifieddate" not in "\n".join(instructions(settings))


def test_all_properties_are_told_in_words() -> None:
    """Where all properties are read they cannot be listed."""
    lines = instructions(Settings(public_url=URL, call_properties=("*",)))
    assert lines[-1].endswith("object.propertyChange of every property you read")


def test_the_project_file_has_every_subscription() -> None:
    """The webhooks component subscribes calls to each kind, and to each property by its name."""
    made = msgspec.to_builtins(component(f"{URL}{WEBHOOK_PATH}", ["hs_call_title", "our_score"]))
    (subscriptions,) = made["config"]["subscriptions"].values()
    assert made["config"]["settings"]["targetUrl"] == f"{URL}/webhooks/hubspot"
    assert [entry["subscriptionType"] for entry in subscriptions] == [
        *ABOUT_CALLS,
        ABOUT_PROPERTIES,
        ABOUT_PROPERTIES,
    ]
    assert {entry["objectType"] for entry in subscriptions} == {"call"}
    assert [entry.get("propertyName") for entry in subscriptions[-3:]] == [
        None,
        "hs_call_title",
        "our_score",
    ]
    assert all(entry["active"] for entry in subscriptions)


def test_an_app_has_only_so_many_subscriptions() -> None:
    """As many as HubSpot allows make a file, one more does not."""
    names = [f"property_{number}" for number in range(MOST - len(ABOUT_CALLS))]
    component(URL, [*names, "hs_lastmodifieddate"])
    with pytest.raises(TooManySubscriptionsError, match="1001 subscriptions"):
        component(URL, [*names, "one_more"])


def test_the_project_in_the_repository_is_the_default() -> None:
    """The file in deploy/hubspot is the one for the default properties."""
    made = component(f"{URL}{WEBHOOK_PATH}", Settings().call_properties)
    assert (PROJECT / "src/app/webhooks/webhooks-hsmeta.json").read_text() == made.as_file()


@pytest.mark.parametrize("folder", ["src/app", "many-accounts"])
def test_the_project_asks_for_the_scopes_that_reading_needs(folder: str) -> None:
    """The app requires what calls and the default associations need, and `oauth` if it uses it."""
    app = msgspec.json.decode((PROJECT / folder / "app-hsmeta.json").read_bytes())
    auth = app["config"]["auth"]
    wanted = set(scopes_for(Settings().call_associations))
    if auth["type"] == "static":
        wanted.remove("oauth")
    else:
        assert auth["redirectUrls"] == [f"{URL}{CALLBACK_PATH}"]
    assert set(auth["requiredScopes"]) == wanted


def test_the_parts_of_the_project_are_told_apart() -> None:
    """Each component has an id of its own and the type of the folder that it lies in."""
    parts = {
        path.parent.name: msgspec.json.decode(path.read_bytes())
        for path in (PROJECT / "src").rglob("*-hsmeta.json")
    }
    assert {folder: part["type"] for folder, part in parts.items()} == {
        "app": "app",
        "webhooks": "webhooks",
    }
    assert len({part["uid"] for part in parts.values()}) == len(parts)
    assert msgspec.json.decode((PROJECT / "hsproject.json").read_bytes())["srcDir"] == "src"
