"""`POST …/search`: five a second, ten thousand results, and never quite up to date."""

from litestar import Response, post

from tests.simulator.answers import Json, answer, invalid, read_body
from tests.simulator.api.objects import under
from tests.simulator.api.reading import of_calls
from tests.simulator.caller import HubSpotRequest
from tests.simulator.model.filters import FilterError
from tests.simulator.model.records import project, record
from tests.simulator.model.search import MOST_BODY, SearchRequest


@post(under("search"), operation="calls.search", family="search")
async def search_calls(request: HubSpotRequest) -> Response[bytes]:
    """Return a page of live calls that match, as they were a moment ago."""
    caller = of_calls(request)
    raw = await request.body()
    if len(raw.decode(errors="replace")) > MOST_BODY:
        message = f"The request body may have {MOST_BODY} characters at most"
        raise invalid(message)
    body = read_body(raw, SearchRequest)
    until = caller.came_at - caller.simulator.knobs.search_delay_ms
    try:
        found = caller.simulator.search_of(caller.account).run(body, until)
    except FilterError as error:
        raise invalid(str(error)) from error
    wanted = project(caller.account.definitions, body.properties)
    await caller.strike(frozenset(call.id for call in found.calls))
    page: dict[str, Json] = {
        "total": found.total,
        "results": [record(call, wanted) for call in found.calls],
    }
    if found.after is not None:
        page["paging"] = {"next": {"after": str(found.after)}}
    return answer(page)


ROUTES = [search_calls]
