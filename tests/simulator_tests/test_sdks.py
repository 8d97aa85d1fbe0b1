"""HubSpot's own client libraries cannot tell the stand-in from HubSpot.

Each is used if it is installed: `hubspot-api-client` and `hubspot-sdk` in this environment,
`@hubspot/api-client` in the folder that the environment variable HUBSPOT_NODE_MODULES names.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api
from tests.simulator_tests.conftest import Receiver

NODE_SCRIPT = Path(__file__).with_name("node_client.mjs")
CALLS = 230
MISSING = "7"


def with_calls(simulator: Simulator) -> None:
    """Let the account have more calls than one page holds."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    simulator.traffic.life(account).bulk(CALLS)


def refresh_token(simulator: Simulator) -> str:
    """Return a refresh token of the first account."""
    app, authority = simulator.app, simulator.authority
    scopes = ("crm.objects.contacts.read", "crm.objects.contacts.write")
    code = authority.authorise(app, simulator.settings.portal_id, "http://localhost/", scopes, "")
    return authority.redeem(app, code, "http://localhost/", "", 1_800_000).refresh_token


@contextlib.contextmanager
def opened(client: Any) -> Generator[Any, None, None]:  # noqa: ANN401 - an untyped library
    """Close the connections that `hubspot-api-client` leaves open."""
    try:
        yield client
    finally:
        client.api_client.rest_client.pool_manager.clear()


def official(hubspot: Any, url: str, token: str) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Use `hubspot-api-client` as its README does, and return what it found."""
    calls = hubspot.HubSpot(access_token=token, host=url).crm.objects.calls
    with opened(calls.basic_api) as basic:
        listed = list(pages(basic))
        made, edited = write_one(hubspot.crm.objects.calls, basic)
        with opened(calls.batch_api) as batches:
            batch = batches.read(
                hubspot.crm.objects.calls.BatchReadInputSimplePublicObjectId(
                    inputs=[{"id": made}, {"id": MISSING}],
                    properties=["hs_call_title"],
                    properties_with_history=["hs_call_title"],
                )
            )
        basic.archive(made)
        archived = basic.get_by_id(made, archived=True).archived
    return {
        "ids": [call.id for call in listed],
        "history": sum(len(c.properties_with_history["hs_call_title"]) for c in listed),
        "edited": edited,
        "batch": [call.id for call in batch.results],
        "missing": batch.errors[0].context["ids"],
        "values": [v.value for v in batch.results[0].properties_with_history["hs_call_title"]],
        "archived": archived,
        "made": made,
    }


def pages(basic: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield all calls, page by page."""
    names, after = ["hs_call_title"], None
    while True:
        page = basic.get_page(
            limit=50,
            after=after,
            properties=names,
            properties_with_history=names,
            associations=["contacts"],
        )
        yield from page.results
        if page.paging is None:
            return
        after = page.paging.next.after


def write_one(objects: Any, basic: Any) -> tuple[str, str]:  # noqa: ANN401 - as above
    """Log a call and edit it; return its id and its new title."""
    values = {"hs_timestamp": "2026-01-15T09:00:00Z", "hs_call_title": "SDK"}
    made = basic.create(
        objects.SimplePublicObjectInputForCreate(properties=values, associations=[])
    )
    change = objects.SimplePublicObjectInput(properties={"hs_call_title": "Edited"})
    return made.id, basic.update(made.id, change).properties["hs_call_title"]


def searches(hubspot: Any, url: str, token: str) -> tuple[int, int]:  # noqa: ANN401 - as above
    """Return how many a search finds, and the status of one beyond ten thousand results."""
    objects = hubspot.crm.objects.calls
    search_api = hubspot.HubSpot(access_token=token, host=url).crm.objects.calls.search_api
    with opened(search_api) as search:
        total = search.do_search(objects.PublicObjectSearchRequest(limit=200, sorts=[])).total
        try:
            search.do_search(objects.PublicObjectSearchRequest(after="9900", limit=200, sorts=[]))
        except objects.ApiException as error:
            return total, error.status
        return total, 200


async def test_the_official_python_client(api: Api, simulator: Simulator) -> None:
    """`hubspot-api-client` pages, reads history, writes, and meets missing ids and limits."""
    hubspot = pytest.importorskip("hubspot")
    pytest.importorskip("hubspot.crm.objects.calls")
    with_calls(simulator)
    seen = await asyncio.to_thread(official, hubspot, api.url, api.token)
    assert len(seen["ids"]) == len(set(seen["ids"])) == CALLS == seen["history"]
    assert (seen["edited"], seen["archived"]) == ("Edited", True)
    assert (seen["batch"], seen["missing"]) == ([seen["made"]], [MISSING])
    assert seen["values"] == ["Edited", "SDK"]
    found = await asyncio.to_thread(searches, hubspot, api.url, api.token)
    assert found == (CALLS, 400)


async def test_the_official_python_client_refreshes(api: Api, simulator: Simulator) -> None:
    """`hubspot-api-client` exchanges a refresh token for an access token that works."""
    hubspot = pytest.importorskip("hubspot")
    token = refresh_token(simulator)

    def refresh() -> str:
        with opened(hubspot.HubSpot(host=api.url).oauth.tokens_api) as tokens:
            issued = tokens.create(
                grant_type="refresh_token",
                client_id=simulator.app.client_id,
                client_secret=simulator.app.client_secret,
                refresh_token=token,
            )
        return str(issued.access_token)

    access = await asyncio.to_thread(refresh)
    assert (await api.get("/crm/v3/objects/calls", token=access)).status == 200


async def test_the_official_signature_helper(simulator: Simulator, receiver: Receiver) -> None:
    """`hubspot-api-client`'s helper accepts v3 and v1, where no escape is in the URL."""
    signature = pytest.importorskip("hubspot.utils.signature").Signature
    simulator.app.target_url = receiver.url.partition("?")[0]
    simulator.world.accounts[simulator.settings.portal_id].create({"hs_call_body": "Café 🎧"})
    await simulator.delivery.quiet()
    request = receiver.requests[0]
    common = {
        "client_secret": simulator.app.client_secret,
        "request_body": request.body.decode(),
        "http_uri": simulator.app.target_url,
        "http_method": "POST",
    }
    timestamp = request.headers["X-HubSpot-Request-Timestamp"]
    v3, v1 = request.headers["X-HubSpot-Signature-v3"], request.headers["X-HubSpot-Signature"]
    is_valid: Callable[..., bool] = signature.is_valid
    assert is_valid(signature=v3, signature_version="v3", timestamp=timestamp, **common)
    assert is_valid(signature=v1, signature_version="v1", **common)


def newer(sdk: Any, url: str, token: str) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Use `hubspot-sdk` as its README does, and return what it found."""
    with sdk.HubSpot(access_token=token, base_url=url) as client:
        return use_newer(client.crm.objects.calls)


def use_newer(calls: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Page, write, read and search."""
    listed = list(calls.list(limit=50, properties=["hs_call_title"], associations=["contacts"]))
    values = {"hs_timestamp": "2026-01-15T09:00:00Z", "hs_call_title": "SDK"}
    made = calls.create(properties=values, associations=[])
    changed = calls.update(made.id, properties={"hs_call_title": "Edited"})
    whole = calls.get(made.id, properties_with_history=["hs_call_title"])
    batch = calls.batch.get(
        inputs=[{"id": made.id}, {"id": MISSING}],
        properties=["hs_call_title"],
        properties_with_history=[],
    )
    calls.delete(made.id)
    search = {"after": "0", "filter_groups": [], "limit": 10, "properties": [], "sorts": []}
    return {
        "ids": [call.id for call in listed],
        "edited": changed.properties["hs_call_title"],
        "values": [v.value for v in whole.properties_with_history["hs_call_title"]],
        "batch": [call.id for call in batch.results],
        "missing": batch.errors[0]["context"]["ids"],
        "archived": calls.get(made.id, archived=True).archived,
        "total": calls.search(**search).total,
        "made": made.id,
    }


async def test_the_newer_python_sdk(api: Api, simulator: Simulator) -> None:
    """`hubspot-sdk` pages by itself, reads history, writes, and meets missing ids."""
    sdk = pytest.importorskip("hubspot_sdk")
    with_calls(simulator)
    seen = await asyncio.to_thread(newer, sdk, api.url, api.token)
    assert len(seen["ids"]) == len(set(seen["ids"])) == CALLS
    assert (seen["edited"], seen["archived"]) == ("Edited", True)
    assert seen["values"] == ["Edited", "SDK"]
    assert (seen["batch"], seen["missing"]) == ([seen["made"]], [MISSING])
    assert seen["total"] == CALLS


async def test_the_newer_python_sdk_refreshes(api: Api, simulator: Simulator) -> None:
    """`hubspot-sdk` exchanges a refresh token for an access token that works."""
    sdk = pytest.importorskip("hubspot_sdk")
    token = refresh_token(simulator)

    def refresh() -> str:
        with sdk.HubSpot(base_url=api.url) as client:
            issued = client.auth.oauth.create_token(
                grant_type="refresh_token",
                client_id=simulator.app.client_id,
                client_secret=simulator.app.client_secret,
                refresh_token=token,
            )
        return str(issued.access_token)

    access = await asyncio.to_thread(refresh)
    assert (await api.get("/crm/v3/objects/calls", token=access)).status == 200


async def test_the_node_client(api: Api, simulator: Simulator, receiver: Receiver) -> None:
    """`@hubspot/api-client` does all of the same, and its helper accepts our signature."""
    modules, node = os.environ.get("HUBSPOT_NODE_MODULES", ""), shutil.which("node")
    if not node or not (Path(modules) / "@hubspot" / "api-client").is_dir():
        pytest.skip("set HUBSPOT_NODE_MODULES to a node_modules folder with @hubspot/api-client")
    with_calls(simulator)
    simulator.app.target_url = receiver.url.partition("?")[0]
    simulator.world.accounts[simulator.settings.portal_id].create({"hs_call_body": "Café 🎧"})
    await simulator.delivery.quiet()
    request = receiver.requests[0]
    arguments = {
        "SIM_URL": api.url,
        "SIM_TOKEN": api.token,
        "SIM_CLIENT_ID": simulator.app.client_id,
        "SIM_CLIENT_SECRET": simulator.app.client_secret,
        "SIM_REFRESH_TOKEN": refresh_token(simulator),
        "SIM_TARGET": simulator.app.target_url,
        "SIM_BODY": request.body.decode(),
        "SIM_TIMESTAMP": request.headers["X-HubSpot-Request-Timestamp"],
        "SIM_SIGNATURE": request.headers["X-HubSpot-Signature-v3"],
        "SIM_CALLS": str(CALLS + 1),
        "HUBSPOT_NODE_MODULES": modules,
    }
    process = await asyncio.create_subprocess_exec(
        node,
        str(NODE_SCRIPT),
        env={**os.environ, **arguments},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert (process.returncode, output.decode().strip()) == (0, "fine")
