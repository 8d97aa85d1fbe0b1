"""`/crm-object-schemas/…/schemas/calls`: what calls can be associated with."""

from litestar import Response, get

from tests.simulator.answers import Json, answer
from tests.simulator.api.reading import of_calls
from tests.simulator.caller import HubSpotRequest
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.model.kinds import FROM_CALL, SINGULAR, TO_CALL, TYPE_IDS


def between(kind: str) -> list[Json]:
    """Return the definitions of the associations with a type, in both directions."""
    name, type_id = SINGULAR[kind].upper(), TYPE_IDS[kind]
    return [
        {
            "id": str(FROM_CALL[kind]),
            "name": f"CALL_TO_{name}",
            "fromObjectTypeId": CALL_TYPE,
            "toObjectTypeId": type_id,
        },
        {
            "id": str(TO_CALL[kind]),
            "name": f"{name}_TO_CALL",
            "fromObjectTypeId": type_id,
            "toObjectTypeId": CALL_TYPE,
        },
    ]


@get("/crm-object-schemas/{version:str}/schemas/{kind:str}", operation="schemas.get")
async def get_schema(request: HubSpotRequest) -> Response[bytes]:
    """Return the schema of calls, without their properties."""
    caller = of_calls(request)
    associations = [one for kind in sorted(caller.account.kinds) for one in between(kind)]
    return answer(
        {
            "id": CALL_TYPE,
            "objectTypeId": CALL_TYPE,
            "name": "CALL",
            "fullyQualifiedName": "CALL",
            "labels": {"singular": "Call", "plural": "Calls"},
            "requiredProperties": ["hs_timestamp"],
            "properties": [],
            "associations": associations,
            "archived": False,
        }
    )


ROUTES = [get_schema]
