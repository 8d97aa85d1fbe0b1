"""Property definitions in batches, and property groups."""

from typing import TypeVar

import msgspec
from litestar import Response, delete, get, patch, post

from tests.simulator.answers import Json, answer, batch_error, nothing, read_body
from tests.simulator.api.batch import batch_answer, check_size
from tests.simulator.api.properties import (
    BASES,
    PropertyCreate,
    Sensitivity,
    archive,
    defined,
    shown,
)
from tests.simulator.api.reading import of_calls
from tests.simulator.caller import HubSpotRequest
from tests.simulator.model.catalogue import CatalogueError
from tests.simulator.model.definitions import Group

T = TypeVar("T")


class Named(msgspec.Struct, frozen=True):
    """A property by name."""

    name: str


class Names(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a batch read or archive."""

    inputs: list[Named]
    archived: bool = False
    data_sensitivity: Sensitivity = "non_sensitive"


class NewProperties(msgspec.Struct, frozen=True):
    """The body of a batch creation."""

    inputs: list[PropertyCreate]


class GroupCreate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a new group."""

    name: str
    label: str
    display_order: int = -1


class GroupUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a changed group."""

    label: str | None = None
    display_order: int | None = None


@post([f"{base}/batch/read" for base in BASES], operation="properties.batch_read")
async def batch_read(request: HubSpotRequest) -> Response[bytes]:
    """Return definitions by name."""
    caller = of_calls(request)
    body = read_body(await request.body(), Names)
    check_size(body.inputs)
    found = caller.account.catalogue.archived if body.archived else caller.account.catalogue.live
    results = [shown(found[item.name]) for item in body.inputs if item.name in found]
    missing = [item.name for item in body.inputs if item.name not in found]
    message = "Could not get some properties. Check that names are valid."
    errors = [batch_error("OBJECT_NOT_FOUND", message, {"name": missing})] if missing else []
    return batch_answer(caller, results, errors)


@post([f"{base}/batch/create" for base in BASES], operation="properties.batch_create")
async def batch_create(request: HubSpotRequest) -> Response[bytes]:
    """Define properties; those that cannot be are named by errors."""
    caller = of_calls(request)
    body = read_body(await request.body(), NewProperties)
    check_size(body.inputs)
    results: list[Json] = []
    errors: list[Json] = []
    for item in body.inputs:
        try:
            results.append(shown(caller.account.catalogue.add(defined(item, caller))))
        except CatalogueError as error:
            errors.append(batch_error(error.category, str(error), {"name": [item.name]}))
    return batch_answer(caller, results, errors, status=201)


@post([f"{base}/batch/archive" for base in BASES], operation="properties.batch_archive")
async def batch_archive(request: HubSpotRequest) -> Response[bytes]:
    """Take definitions away: 204, also for names that are not there."""
    caller = of_calls(request)
    body = read_body(await request.body(), Names)
    check_size(body.inputs)
    for item in body.inputs:
        if item.name in caller.account.catalogue.live:
            archive(caller, item.name)
    return nothing()


@get([f"{base}/groups" for base in BASES], operation="properties.groups")
async def list_groups(request: HubSpotRequest) -> Response[bytes]:
    """Return all groups."""
    return answer({"results": [*of_calls(request).account.catalogue.groups.values()]})


@post([f"{base}/groups" for base in BASES], operation="properties.create_group")
async def create_group(request: HubSpotRequest) -> Response[bytes]:
    """Define a group: 201."""
    catalogue = of_calls(request).account.catalogue
    body = read_body(await request.body(), GroupCreate)
    return answer(catalogue.add_group(Group(body.name, body.label, body.display_order)), 201)


@get([f"{base}/groups/{{group_name:str}}" for base in BASES], operation="properties.group")
async def get_group(request: HubSpotRequest) -> Response[bytes]:
    """Return one group."""
    caller = of_calls(request)
    return answer(caller.account.catalogue.find_group(caller.params["group_name"]))


@patch([f"{base}/groups/{{group_name:str}}" for base in BASES], operation="properties.update_group")
async def update_group(request: HubSpotRequest) -> Response[bytes]:
    """Change a group."""
    caller = of_calls(request)
    body = read_body(await request.body(), GroupUpdate)
    catalogue = caller.account.catalogue
    before = catalogue.find_group(caller.params["group_name"])
    given = {n: v for n, v in msgspec.structs.asdict(body).items() if v is not None}
    catalogue.groups[before.name] = after = msgspec.structs.replace(before, **given)
    return answer(after)


@delete(
    [f"{base}/groups/{{group_name:str}}" for base in BASES],
    operation="properties.archive_group",
    status_code=200,
)
async def archive_group(request: HubSpotRequest) -> Response[bytes]:
    """Take a group without properties away: 204."""
    caller = of_calls(request)
    caller.account.catalogue.archive_group(caller.params["group_name"])
    return nothing()


ROUTES = [
    batch_read,
    batch_create,
    batch_archive,
    list_groups,
    create_group,
    get_group,
    update_group,
    archive_group,
]
