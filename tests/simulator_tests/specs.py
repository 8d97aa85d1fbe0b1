"""HubSpot's own OpenAPI files, and what an answer must look like by them."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = "HUBSPOT_OPENAPI_DIR"
"""The environment variable that names the folder with HubSpot's files."""

Schema = dict[str, Any]


def spec_folder() -> Path:
    """Return the folder, or skip the test if it is not at hand."""
    folder = os.environ.get(FOLDER, "")
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"set {FOLDER} to the folder with HubSpot's OpenAPI files")
    return Path(folder)


class Spec:
    """One OpenAPI file."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.document: Schema = json.loads(path.read_text())
        self._templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), template)
            for template in sorted(self.document["paths"], key=lambda text: text.count("{"))
        ]

    def operations(self) -> Iterator[tuple[str, str]]:
        """Yield every operation: method and path template."""
        for template, methods in self.document["paths"].items():
            for method in methods:
                if method != "parameters":
                    yield method.upper(), template

    def find(self, method: str, path: str) -> tuple[str, Schema] | None:
        """Return the template and operation of a request, if the file has it."""
        for pattern, template in self._templates:
            operation = self.document["paths"][template].get(method.lower())
            if operation is not None and pattern.fullmatch(path):
                return template, operation
        return None

    def schema(self, operation: Schema, status: int) -> Schema | None:
        """Return the schema of an answer; None for one without a body."""
        if status >= 400:
            return {"$ref": "#/components/schemas/Error"}
        answer = operation["responses"].get(str(status))
        if answer is None:
            return UNWRITTEN.get(operation["operationId"].partition("_")[0])
        content = answer.get("content", {})
        return content["application/json"]["schema"] if content else None

    def as_json_schema(self, schema: Schema) -> Schema:
        """Return a JSON Schema of its own, with `nullable` and the known departures written out."""
        components = {
            name: rewrite(item) for name, item in self.document["components"]["schemas"].items()
        }
        depart(components)
        return {"components": {"schemas": components}, **rewrite(schema)}


def rewrite(schema: Any) -> Any:  # noqa: ANN401 - a schema is JSON of any shape
    """Turn OpenAPI 3.0's `nullable` into JSON Schema's list of types, and drop empty examples."""
    if isinstance(schema, list):
        return [rewrite(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: rewrite(item) for name, item in schema.items() if name != "example"}
    if result.pop("nullable", False) and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    return result


def depart(components: Schema) -> None:
    """Write in where HubSpot's own answers depart from its files.

    Values of `properties` are null where nothing is set, though only the 2026-09 file says so, and
    `subCategory` of an error in a batch is a string on the wire, an object in the files.
    """
    for name, component in components.items():
        properties = component.get("properties", {})
        if name.startswith("Simple") and "createdAt" in properties:
            properties["properties"]["additionalProperties"] = {"type": ["string", "null"]}
        if name == "StandardError":
            properties["subCategory"] = {}


_POINTER: Schema = {"$ref": "#/components/schemas/JournalFetchResponse"}
UNWRITTEN: dict[str, Schema] = {
    f"get-/webhooks-journal/{journal}/2026-03/{path}": _POINTER
    for journal in ("journal", "journal-local")
    for path in ("earliest", "latest", "offset/{offset}/next")
}
"""Answers that HubSpot's guide describes and its files leave out, by operation id."""
