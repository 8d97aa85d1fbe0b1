"""`GET /crm/v3/objects/calls` and its dated twins: a page of calls, one call."""

import base64
import binascii
from urllib.parse import quote, unquote

from litestar import Response, get

from tests.simulator.answers import Json, answer, invalid, not_found
from tests.simulator.api.ends import check_kind
from tests.simulator.api.reading import (
    Query,
    lookup,
    of_calls,
    of_one_call,
    whole_number,
)
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.model.calls import Call
from tests.simulator.model.kinds import LISTED_AS, SINGULAR, TYPE_IDS, plural
from tests.simulator.model.properties import Projection
from tests.simulator.model.records import project, record

PAGE, PAGE_WITH_HISTORY = 100, 50

ONE = ["/crm/{version:str}/objects/{kind:str}", "/crm/objects/{version:str}/{kind:str}"]


def under(*suffix: str) -> list[str]:
    """Return both path styles of an objects route."""
    return ["/".join((base, *suffix)) for base in ONE]


def write_cursor(call_id: int) -> str:
    """Return an opaque `after`, percent signs and all, as HubSpot's own example shows one."""
    return quote(base64.b64encode(f"{call_id}\n".encode()))


def read_cursor(text: str) -> int:
    """Return the id in an `after`, which must come back exactly as it was sent."""
    try:
        inner = base64.b64decode(unquote(text), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        inner = ""
    call_id = whole_number(inner.removesuffix("\n"))
    if call_id is None or write_cursor(call_id) != text:
        message = f"after: {text[:80]!r} is not a cursor of this list"
        raise invalid(message)
    return call_id


def projection(caller: Caller, query: Query) -> Projection:
    """Return the properties that the query asks for."""
    names = query.many("properties")
    return project(caller.account.definitions, names, query.many("propertiesWithHistory"))


def associations(caller: Caller, call: Call, kinds: list[str]) -> dict[str, Json]:
    """Return the associations of a call as a list or get shows them: one entry per type."""
    page = caller.simulator.knobs.association_page
    shown: dict[str, Json] = {}
    for kind in kinds:
        name = plural(kind)
        if name is None or name == "calls":
            message = f"Unable to infer object type from: {kind[:80]}"
            raise invalid(message)
        check_kind(caller, name)
        pairs = [
            {"id": str(target), "type": f"call_to_{SINGULAR[name]}"}
            for target, types in sorted(call.links.get(name, {}).items())
            for _ in types
        ]
        if pairs:
            part: dict[str, Json] = {"results": pairs[:page]}
            if len(pairs) > page:
                after = pairs[page]["id"]
                path = f"/crm/v4/objects/0-48/{call.id}/associations/{TYPE_IDS[name]}"
                link = f"https://api.hubapi.com{path}?after={after}"
                part["paging"] = {"next": {"after": after, "link": link}}
            shown[LISTED_AS.get(name, name)] = part
    return shown


def full_record(caller: Caller, call: Call, wanted: Projection, query: Query) -> dict[str, Json]:
    """Return a call with the associations that the query asks for."""
    body = record(call, wanted)
    hidden = call.state == "archived" and not caller.simulator.knobs.archived_links
    if (kinds := query.many("associations")) and not hidden:
        shown = associations(caller, call, kinds)
        if shown:
            body["associations"] = shown
    return body


@get(ONE, operation="calls.list")
async def list_calls(request: HubSpotRequest) -> Response[bytes]:
    """Return a page of live calls, or of archived ones only, in the order of their ids."""
    caller, query = of_calls(request), Query(request)
    wanted = projection(caller, query)
    limit = query.number("limit", 10, PAGE_WITH_HISTORY if wanted.history else PAGE)
    start = read_cursor(query.one("after")) if query.one("after") else 0
    account = caller.account
    index = account.archived if query.flag("archived") else account.live
    ids = index.page(start, limit + 1)
    shown = ids[:limit]
    await caller.strike(frozenset(shown))
    calls = [caller.seen(account.calls[call_id]) for call_id in shown]
    body: dict[str, Json] = {
        "results": [full_record(caller, call, wanted, query) for call in calls]
    }
    if len(ids) > limit:
        after = write_cursor(ids[limit])
        link = f"https://api.hubapi.com{request.scope['path']}?after={quote(after, safe='')}"
        body["paging"] = {"next": {"after": after, "link": link}}
    return answer(body)


@get(under("{object_id:str}"), operation="calls.get")
async def get_call(request: HubSpotRequest) -> Response[bytes]:
    """Return one call; an archived one only with `archived=true`."""
    (caller, object_id), query = await of_one_call(request), Query(request)
    call = lookup(caller, object_id, archived=query.flag("archived"))
    if call is None:
        raise not_found()
    return answer(full_record(caller, call, projection(caller, query), query))


ROUTES = [list_calls, get_call]
