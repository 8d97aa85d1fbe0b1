"""`/crm/…/properties/…`: the definitions of call properties."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from litestar import Response, delete, get, patch, post

from tests.simulator.answers import Json, answer, nothing, read_body
from tests.simulator.api.reading import Query, of_calls
from tests.simulator.caller import Caller, HubSpotRequest
from tests.simulator.clock import iso
from tests.simulator.model.definitions import Definition, Modification, Option

BASES = ["/crm/{version:str}/properties/{kind:str}", "/crm/properties/{version:str}/{kind:str}"]
NAMED = [f"{base}/{{property_name:str}}" for base in BASES]

Type = Literal["bool", "date", "datetime", "enumeration", "number", "phone_number", "string"]
FieldType = Literal[
    "booleancheckbox",
    "calculation_equation",
    "checkbox",
    "date",
    "file",
    "html",
    "number",
    "phonenumber",
    "radio",
    "select",
    "text",
    "textarea",
]
Sensitivity = Literal["highly_sensitive", "non_sensitive", "sensitive"]
Name = str


class OptionInput(msgspec.Struct, frozen=True, rename="camel"):
    """One value of a new enumeration."""

    label: str
    value: str
    hidden: bool = False
    display_order: int = -1
    description: str | None = None


class PropertyCreate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a definition."""

    name: Name
    label: str
    type: Type
    field_type: FieldType
    group_name: str
    description: str = ""
    options: list[OptionInput] = []
    display_order: int = -1
    has_unique_value: bool = False
    hidden: bool = False
    form_field: bool = False
    data_sensitivity: Sensitivity = "non_sensitive"


class PropertyUpdate(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body of a change."""

    label: str | None = None
    type: Type | None = None
    field_type: FieldType | None = None
    group_name: str | None = None
    description: str | None = None
    options: list[OptionInput] | None = None
    display_order: int | None = None
    hidden: bool | None = None
    form_field: bool | None = None


def defined(body: PropertyCreate, caller: Caller) -> Definition:
    """Return a new definition of the account's own."""
    now = iso(caller.came_at)
    return Definition(
        body.name,
        body.label,
        body.type,
        body.field_type,
        body.group_name,
        body.description,
        _options(body.options),
        Modification(archivable=True, read_only_definition=False, read_only_value=False),
        created_at=now,
        updated_at=now,
        display_order=body.display_order,
        has_unique_value=body.has_unique_value,
        hidden=body.hidden,
        hubspot_defined=False,
        form_field=body.form_field,
        calculated=False,
        external_options=False,
        data_sensitivity=body.data_sensitivity,
    )


def _options(options: list[OptionInput]) -> list[Option]:
    return [Option(o.label, o.value, o.hidden, o.display_order) for o in options]


def shown(definition: Definition) -> dict[str, Json]:
    """Return a definition as the API writes it."""
    body: dict[str, Json] = msgspec.to_builtins(definition)
    return body | {"archived": definition.archived, "hasUniqueValue": definition.has_unique_value}


@get(BASES, operation="properties.list")
async def list_properties(request: HubSpotRequest) -> Response[bytes]:
    """Return all definitions, or the archived ones."""
    caller, query = of_calls(request), Query(request)
    catalogue = caller.account.catalogue
    found = catalogue.archived if query.flag("archived") else catalogue.live
    wanted = query.one("dataSensitivity", "non_sensitive")
    return answer({"results": [shown(d) for d in found.values() if d.data_sensitivity == wanted]})


@post(BASES, operation="properties.create")
async def create_property(request: HubSpotRequest) -> Response[bytes]:
    """Define a property: 201."""
    caller = of_calls(request)
    body = read_body(await request.body(), PropertyCreate)
    return answer(shown(caller.account.catalogue.add(defined(body, caller))), 201)


@get(NAMED, operation="properties.get")
async def get_property(request: HubSpotRequest) -> Response[bytes]:
    """Return one definition."""
    caller, query = of_calls(request), Query(request)
    name = caller.params["property_name"]
    return answer(shown(caller.account.catalogue.find(name, archived=query.flag("archived"))))


@patch(NAMED, operation="properties.update")
async def update_property(request: HubSpotRequest) -> Response[bytes]:
    """Change a definition of the account's own."""
    caller = of_calls(request)
    body = read_body(await request.body(), PropertyUpdate)
    before = caller.account.catalogue.find(caller.params["property_name"])
    news: Mapping[str, Json] = {
        name: value
        for name, value in msgspec.structs.asdict(body).items()
        if value is not None and name != "options"
    }
    after = msgspec.structs.replace(before, **news, updated_at=iso(caller.came_at))
    if body.options is not None:
        after = msgspec.structs.replace(after, options=_options(body.options))
    return answer(shown(caller.account.catalogue.change(after)))


@delete(NAMED, operation="properties.archive", status_code=200)
async def archive_property(request: HubSpotRequest) -> Response[bytes]:
    """Take a definition of the account's own away: 204."""
    caller = of_calls(request)
    archive(caller, caller.params["property_name"])
    return nothing()


def archive(caller: Caller, name: str) -> None:
    """Archive a property now."""
    catalogue = caller.account.catalogue
    moment = iso(caller.came_at)
    gone = msgspec.structs.replace(catalogue.find(name), archived=True, archived_at=moment)
    catalogue.archive(gone)


ROUTES = [list_properties, create_property, get_property, update_property, archive_property]
