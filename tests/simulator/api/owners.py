"""Owners, as far as calls name them."""

from litestar import Response, get

from tests.simulator.answers import Json, answer, invalid, not_found
from tests.simulator.api.reading import Query, of_version, whole_number
from tests.simulator.caller import HubSpotRequest
from tests.simulator.model.people import Person

BASES = ["/crm/{version:str}/owners", "/crm/owners/{version:str}"]


@get(BASES, operation="owners.list")
async def list_owners(request: HubSpotRequest) -> Response[bytes]:
    """Return a page of owners; none of them is archived."""
    caller, query = of_version(request), Query(request)
    limit = query.number("limit", 100, 500)
    start = whole_number(query.one("after", "0"))
    if start is None:
        message = "after must be a number"
        raise invalid(message)
    people = [] if query.flag("archived") else sorted(caller.account.people, key=lambda p: p.id)
    mail = query.one("email")
    left = [p for p in people if p.id > start and mail in ("", p.email)]
    body: dict[str, Json] = {"results": [owner(person) for person in left[:limit]]}
    if len(left) > limit:
        body["paging"] = {"next": {"after": str(left[limit - 1].id)}}
    return answer(body)


@get([f"{base}/{{owner_id:str}}" for base in BASES], operation="owners.get")
async def get_owner(request: HubSpotRequest) -> Response[bytes]:
    """Return one owner by its id, or by its user id with `idProperty=userId`."""
    caller = of_version(request)
    by_user = Query(request).one("idProperty", "id") == "userId"
    number = whole_number(caller.params["owner_id"])
    for person in caller.account.people:
        if number == (person.user_id if by_user else person.id):
            return answer(owner(person))
    raise not_found()


def owner(person: Person) -> dict[str, Json]:
    """Return an owner as the API writes it."""
    return {
        "id": str(person.id),
        "email": person.email,
        "type": "PERSON",
        "firstName": person.first_name,
        "lastName": person.last_name,
        "userId": person.user_id,
        "userIdIncludingInactive": person.user_id,
        "createdAt": "2023-02-01T08:00:00.000Z",
        "updatedAt": "2025-11-20T15:30:00.000Z",
        "archived": False,
    }


ROUTES = [list_owners, get_owner]
