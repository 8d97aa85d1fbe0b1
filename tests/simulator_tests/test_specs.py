"""Every answer of every operation is what HubSpot's own OpenAPI files promise."""

import json

import pytest

from tests.simulator.simulator import Simulator
from tests.simulator_tests import tour
from tests.simulator_tests.api import Answer, Api
from tests.simulator_tests.specs import Spec, spec_folder

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")


def check(specs: list[Spec], answers: list[Answer]) -> dict[str, set[tuple[str, str]]]:
    """Return which operations of each file were answered well, after checking every answer."""
    done: dict[str, set[tuple[str, str]]] = {spec.name: set() for spec in specs}
    for answer in answers:
        for spec in specs:
            found = spec.find(answer.method, answer.path)
            if found is None:
                continue
            template, operation = found
            schema = spec.schema(operation, answer.status)
            if schema is not None and answer.status != 204:
                validator = jsonschema.Draft202012Validator(
                    spec.as_json_schema(schema),
                    format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
                )
                errors = [error.message for error in validator.iter_errors(json.loads(answer.raw))]
                assert errors == [], (spec.name, answer.method, answer.path, answer.status)
            if answer.status < 300:
                done[spec.name].add((answer.method, template))
    return done


@pytest.mark.parametrize("merged_ids", ["absent", "survivor"])
async def test_every_answer_validates(api: Api, simulator: Simulator, merged_ids: str) -> None:
    """A tour through every operation, asked well and badly, meets only answers in the files."""
    specs = [Spec(path) for path in sorted(spec_folder().glob("openapi-*.json"))]
    simulator.turn(merged_ids=merged_ids)
    account = simulator.world.accounts[simulator.settings.portal_id]
    linked = account.create({"hs_call_title": "Linked"})
    for base in (
        "/crm/v3/objects/calls",
        "/crm/objects/2026-03/calls",
        "/crm/objects/2026-09/0-48",
    ):
        await tour.tour_calls(api, base)
    await tour.tour_associations(api, "2026-03", linked.id)
    await tour.tour_properties(api, "/crm/properties/2026-03/calls")
    await tour.tour_tokens(api, simulator, "2026-03")
    await tour.tour_journal(api, simulator, "2026-03")
    await api.get("/account-info/2026-03/details")
    await api.get("/account-info/2026-03/api-usage/daily/private-apps")
    await api.post("/crm/objects/2026-03/calls/search", {})
    done = check(specs, api.answers)
    missing = {
        spec.name: sorted({*spec.operations()} - done[spec.name])
        for spec in specs
        if {*spec.operations()} - done[spec.name]
    }
    assert missing == {}
    assert [answer.path for answer in api.answers if answer.status >= 500] == []
