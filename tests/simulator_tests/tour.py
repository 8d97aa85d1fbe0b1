"""Every operation of HubSpot's that is simulated, asked for well and badly."""

from collections.abc import Sequence

from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Answer, Api

SCOPES = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.write"


async def app_token(api: Api, simulator: Simulator) -> str:
    """Return a client-credentials token of the journal's app."""
    form = {
        "grant_type": "client_credentials",
        "client_id": simulator.journal_app.client_id,
        "client_secret": simulator.journal_app.client_secret,
        "scope": SCOPES,
    }
    answer = await api.ask("POST", "/oauth/2026-03/token", form=form, token="")
    return str(answer.json["access_token"])


async def tour_calls(api: Api, base: str) -> None:
    """Ask for everything under one path of calls: `/crm/v3/objects/calls` or a dated one."""
    values = {"hs_timestamp": "2026-01-15T09:00:00Z", "hs_call_title": "Tour"}
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]
    linked = {"properties": values, "associations": [{"to": {"id": "101"}, "types": types}]}
    first = (await api.post(base, linked)).json["id"]
    made = await api.post(
        f"{base}/batch/create", {"inputs": [linked, {**linked, "associations": []}]}
    )
    second, third = made.ids
    one = f"{base}/{first}"
    await api.ask("PATCH", one, {"properties": {"hs_call_title": "Again"}})
    history = "propertiesWithHistory=hs_call_title&properties=hs_call_body,nonsense"
    await api.get(f"{one}?{history}&associations=contacts,deals")
    await api.get(f"{base}?limit=2&{history}&associations=contacts")
    await api.get(f"{base}?archived=true")
    both = {"inputs": [{"id": first}, {"id": "7"}], "properties": ["hs_call_body"]}
    await api.post(f"{base}/batch/read", both | {"propertiesWithHistory": ["hs_call_title"]})
    await api.post(f"{base}/batch/read", {"inputs": [{"id": second}]})
    edits = [{"id": second, "properties": {"hs_call_title": "Edited"}}]
    await api.post(f"{base}/batch/update", {"inputs": edits})
    await api.post(f"{base}/batch/update", {"inputs": [*edits, {**edits[0], "id": "7"}]})
    traced = {"properties": {"nope": "1"}, "associations": [], "objectWriteTraceId": "t"}
    await api.post(
        f"{base}/batch/create", {"inputs": [traced, linked | {"objectWriteTraceId": "u"}]}
    )
    key = {"id": "k1", "idProperty": "hs_unique_creation_key", "properties": values}
    await api.post(f"{base}/batch/upsert", {"inputs": [key]})
    bad = {**key, "id": "k2", "properties": {"nope": "1"}, "objectWriteTraceId": "t"}
    await api.post(f"{base}/batch/upsert", {"inputs": [key | {"objectWriteTraceId": "u"}, bad]})
    criterion = {"propertyName": "hs_call_title", "operator": "HAS_PROPERTY"}
    search = {"filterGroups": [{"filters": [criterion]}], "limit": 1}
    await api.post(f"{base}/search", search)
    await api.post(f"{base}/batch/archive", {"inputs": [{"id": third}]})
    await api.ask("DELETE", f"{base}/{second}")
    await api.get(f"{base}/{second}?archived=true")
    await api.get(f"{base}?archived=true")
    await bad_calls(api, base)


async def bad_calls(api: Api, base: str) -> None:
    """Ask for calls badly."""
    await api.get(f"{base}?limit=101")
    await api.get(f"{base}?after=nonsense")
    await api.get(f"{base}/7")
    await api.get(base, token="wrong")
    await api.post(base, {"properties": {"hs_call_title": "no time"}})
    await api.post(base, {"properties": {"nope": "1"}})
    await api.ask("PATCH", f"{base}/7", {"properties": {"hs_call_title": "x"}})
    await api.ask("DELETE", f"{base}/7")
    await api.post(f"{base}/search", {"limit": 201})
    for verb in ("read", "create", "update", "upsert", "archive"):
        await api.post(f"{base}/batch/{verb}", {"inputs": []})
        await api.post(f"{base}/batch/{verb}", ["not an object"])


async def tour_associations(api: Api, version: str, call_id: int) -> None:
    """Ask for everything about associations."""
    pair = f"/crm/associations/{version}/calls/contacts/batch"
    record = f"/crm/objects/{version}/calls/{call_id}/associations"
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}
    between = {"from": {"id": str(call_id)}, "to": {"id": "201"}, "types": [spec]}
    await api.ask("PUT", f"{record}/contacts/202", [spec])
    default = f"/crm/objects/{version}/calls/{call_id}/associations/default/contacts/203"
    await api.ask("PUT", default)
    await api.post(f"{pair}/create", {"inputs": [between]})
    await api.post(f"{pair}/create", {"inputs": [between, {**between, "from": {"id": "7"}}]})
    plain = {"from": between["from"], "to": {"id": "204"}}
    await api.post(f"{pair}/associate/default", {"inputs": [plain]})
    await api.post(f"{pair}/associate/default", {"inputs": [{**plain, "from": {"id": "7"}}]})
    await api.post(f"{pair}/read", {"inputs": [{"id": str(call_id)}]})
    await api.post(f"{pair}/read", {"inputs": [{"id": str(call_id)}, {"id": "7"}]})
    await api.get(f"{record}/contacts?limit=1")
    back = f"/crm/associations/{version}/contacts/calls/batch/read"
    await api.post(back, {"inputs": [{"id": "202"}]})
    await api.post(f"{pair}/labels/archive", {"inputs": [between]})
    apart = {"from": between["from"], "to": [{"id": "204"}]}
    await api.post(f"{pair}/archive", {"inputs": [apart]})
    await api.ask("DELETE", f"{record}/contacts/202")
    await api.post(f"/crm/associations/{version}/usage/high-usage-report/12", None)
    await api.ask("PUT", f"{record}/contacts/202", [{**spec, "associationTypeId": 1}])
    await api.post(f"{pair}/read", {"inputs": []})
    await api.get(f"{record}/unicorns")


async def tour_properties(api: Api, base: str) -> None:
    """Ask for everything about property definitions."""
    group = {"name": "own", "label": "Own", "displayOrder": 3}
    made = {
        "name": "own_note",
        "label": "Note",
        "type": "enumeration",
        "fieldType": "select",
        "groupName": "own",
        "options": [{"label": "A", "value": "a", "displayOrder": 0, "hidden": False}],
    }
    await api.post(f"{base}/groups", group)
    await api.post(f"{base}/groups", group)
    await api.get(f"{base}/groups")
    await api.get(f"{base}/groups/own")
    await api.ask("PATCH", f"{base}/groups/own", {"label": "Renamed"})
    await api.post(base, made)
    await api.post(base, made)
    await api.get(base)
    await api.get(f"{base}/own_note")
    await api.get(f"{base}/nope")
    await api.ask("PATCH", f"{base}/own_note", {"label": "Remark"})
    await api.ask("PATCH", f"{base}/hs_call_title", {"label": "Remark"})
    names = {"archived": False, "dataSensitivity": "non_sensitive"}
    await api.post(f"{base}/batch/read", names | {"inputs": [{"name": "own_note"}]})
    await api.post(f"{base}/batch/read", names | {"inputs": [{"name": "nope"}]})
    await api.post(f"{base}/batch/create", {"inputs": [{**made, "name": "own_two"}]})
    await api.post(f"{base}/batch/create", {"inputs": [made]})
    await api.post(f"{base}/batch/archive", {"inputs": [{"name": "own_two"}]})
    await api.ask("DELETE", f"{base}/own_note")
    await api.get(f"{base}/own_note?archived=true")
    await api.get(f"{base}?archived=true")
    await api.ask("DELETE", f"{base}/groups/own")
    await api.ask("DELETE", f"{base}/groups/own")


async def tour_tokens(api: Api, simulator: Simulator, version: str) -> None:
    """Ask for tokens, and about them."""
    client = {
        "client_id": simulator.app.client_id,
        "client_secret": simulator.app.client_secret,
        "redirect_uri": "http://localhost/back",
    }
    portal = simulator.settings.portal_id
    page = (
        f"/oauth/authorize?client_id={client['client_id']}&redirect_uri={client['redirect_uri']}"
        f"&scope=crm.objects.contacts.read&portal_id={portal}"
    )
    back = (await api.get(page, token="")).headers["Location"]
    code = back.partition("code=")[2]
    base = f"/oauth/{version}/token"
    form = client | {"grant_type": "authorization_code", "code": code}
    issued = (await api.ask("POST", base, form=form, token="")).json
    refresh = client | {
        "grant_type": "refresh_token",
        "refresh_token": str(issued["refresh_token"]),
    }
    await api.ask("POST", base, form=refresh, token="")
    for token in (issued["access_token"], issued["refresh_token"], "unknown"):
        asked = client | {"token": str(token)}
        await api.ask("POST", f"{base}/introspect", form=asked, token="")
    revoked = client | {"token": str(issued["refresh_token"])}
    await api.ask("POST", f"{base}/revoke", form=revoked, token="")
    await api.ask("POST", f"{base}/revoke", form={"client_id": "?"}, token="")
    await api.ask("POST", base, form=refresh, token="")
    await app_token(api, simulator)


async def tour_journal(api: Api, simulator: Simulator, version: str) -> None:
    """Subscribe to the journal, and read it every way."""
    token, portal = await app_token(api, simulator), simulator.settings.portal_id
    base = f"/webhooks-journal/subscriptions/{version}"
    wanted = {
        "subscriptionType": "OBJECT",
        "portalId": portal,
        "objectTypeId": "0-48",
        "actions": ["CREATE", "UPDATE"],
        "properties": [],
        "objectIds": [],
    }
    made = await api.post(base, wanted, token=token)
    one = f"{base}/{made.json['id']}"
    lifecycle = {"subscriptionType": "APP_LIFECYCLE_EVENT", "eventTypeId": "4-1909196"}
    await api.post(base, lifecycle | {"properties": []}, token=token)
    await api.post(base, {"subscriptionType": "OBJECT"}, token=token)
    await api.get(base, token=token)
    await api.get(one, token=token)
    condition = {
        "filterType": "CRM_OBJECT_PROPERTY",
        "property": "hs_call_title",
        "operator": "IS_NOT_EMPTY",
    }
    body = {"subscriptionId": made.json["id"], "filter": {"conditions": [condition]}}
    kept = (await api.post(f"{base}/filters", body, token=token)).json["filterId"]
    await api.get(f"{base}/filters/{kept}", token=token)
    await api.get(f"{base}/filters/subscription/{made.json['id']}", token=token)
    await api.get(f"{base}/filters/999", token=token)
    account = simulator.world.accounts[portal]
    call = account.create({"hs_call_title": "Journal"})
    for title in ("One", "Two", "Three"):
        account.update(call.id, {"hs_call_title": title})
        simulator.clock.move(5_000)
    for journal in ("journal", "journal-local"):
        await read_journal(api, f"/webhooks-journal/{journal}/{version}", token)
    await take_snapshot(api, simulator, version, call.id, token)
    await api.ask("DELETE", f"{base}/filters/{kept}", token=token)
    await api.ask("DELETE", one, token=token)
    await api.ask("DELETE", f"{base}/portals/{portal}", token=token)
    await api.get(f"{base}/999", token=token)


async def read_journal(api: Api, base: str, token: str) -> None:
    """Read the journal every way, badly as well."""
    first = (await api.get(f"{base}/earliest", token=token)).json["currentOffset"]
    last = (await api.get(f"{base}/latest", token=token)).json["currentOffset"]
    paths: Sequence[str] = (
        f"offset/{first}/next",
        f"offset/{last}/next",
        "offset/unknown/next",
        "batch/earliest/2",
        "batch/latest/2",
        f"batch/{first}/next/2",
        "batch/unknown/next/2",
        "batch/earliest/0",
    )
    for path in paths:
        await api.get(f"{base}/{path}", token=token)
    await api.post(f"{base}/batch/read", {"inputs": [first]}, token=token)
    await api.post(f"{base}/batch/read", {"inputs": [first, "unknown"]}, token=token)
    await api.get(f"{base}/earliest")


async def take_snapshot(
    api: Api, simulator: Simulator, version: str, call_id: int, token: str
) -> Answer:
    """Ask for a snapshot, and how far it is."""
    portal = simulator.settings.portal_id
    wanted = {
        "portalId": portal,
        "objectId": call_id,
        "objectTypeId": "0-48",
        "properties": ["hs_call_title"],
    }
    snapshots = f"/webhooks-journal/snapshots/{version}/crm"
    body = {"snapshotRequests": [wanted, {**wanted, "objectId": 7}]}
    taken = (await api.post(snapshots, body, token=token)).json["snapshotResponses"]
    for item in taken:
        status = item["snapshotStatusId"]
        for journal in ("journal", "journal-local"):
            await api.get(f"/webhooks-journal/{journal}/{version}/status/{status}", token=token)
        simulator.clock.move(1_000)
        await api.get(f"/webhooks-journal/journal/{version}/status/{status}", token=token)
    return await api.post(snapshots, {"snapshotRequests": []}, token=token)
