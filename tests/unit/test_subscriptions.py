"""What to enter in a HubSpot app."""

from jobs.settings import DOCUMENTED_PROPERTIES, Settings
from service.front_door import webhooks
from service.subscriptions import ABOUT_CALLS, WEBHOOK_PATH, instructions

URL = "https://calls.example.com"


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
