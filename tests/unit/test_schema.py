"""HubSpot's answers, as published and as seen on the wire, are read for what they say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from jobs.hubspot import schema

SEED = Path(__file__).parent.parent / "data" / "hubspot" / "call-collection-response.schema.json"
"""The published schema of the listing, unchanged; its `$id` says whose it is."""

RECORD: dict[str, object] = {
    "id": "512",
    "properties": {"hs_call_title": "Discovery Call", "hs_call_body": None},
    "createdAt": "2024-01-15T10:30:00.000Z",
    "updatedAt": "2024-01-15T11:00:00.000Z",
    "archived": False,
}


def body(**members: object) -> bytes:
    """Return a JSON object."""
    return json.dumps(members).encode()


def seed_example() -> list[dict[str, object]]:
    """Return the records that the published schema gives as its example."""
    document = json.loads(SEED.read_text())
    return cast("list[dict[str, object]]", document["properties"]["results"]["example"])


def test_seed_example() -> None:
    """The published example decodes although it breaks its own schema's history form."""
    page = schema.decode_page(body(results=seed_example()))
    (call,) = page.calls
    assert (call.id, call.archived) == ("512", False)
    assert datetime(2024, 1, 15, 11, tzinfo=UTC) == call.updated_at
    assert datetime(2025, 3, 15, 14, 30, tzinfo=UTC) == call.archived_at
    assert call.properties["hs_call_duration"] == "1800000"
    assert (page.after, page.undecodable, schema.history(call)) == (None, (), {})


def test_seed_example_of_every_field() -> None:
    """The examples that the published schema gives field by field decode together."""
    document = json.loads(SEED.read_text())
    fields = document["properties"]["results"]["items"]["properties"]
    record = {name: field["example"] for name, field in fields.items()}
    following = document["properties"]["paging"]["properties"]["next"]["properties"]
    paging = {"next": {name: field["example"] for name, field in following.items()}}
    page = schema.decode_page(body(results=[record], paging=paging))
    assert [call.id for call in page.calls] == ["512"]
    assert page.after == "NTI1Cg%3D%3D"


def test_history() -> None:
    """History in its documented form is given by property, newest first as HubSpot sends it."""
    entry = {
        "value": "true",
        "timestamp": "2022-11-07T21:54:03.930Z",
        "sourceType": "CRM_UI",
        "sourceId": "userId:28604240",
        "updatedByUserId": 28604240,
    }
    record = {**RECORD, "propertiesWithHistory": {"hs_x": [entry], "hs_y": "value", "hs_z": None}}
    history = schema.history(schema.decode_call(json.dumps(record).encode()))
    assert list(history) == ["hs_x"]
    assert (history["hs_x"][0].value, history["hs_x"][0].updated_by_user_id) == ("true", 28604240)


def test_inline_associations() -> None:
    """Associations inside a record keep their ids, their types and their own paging."""
    listed = {
        "results": [{"id": "101", "type": "call_to_contact"}, {"id": "101", "type": "label"}],
        "paging": {"next": {"after": "102", "link": "https://elsewhere.example/"}},
    }
    record = {**RECORD, "associations": {"contacts": listed, "deals": None}}
    call = schema.decode_call(json.dumps(record).encode())
    assert call.associations is not None
    contacts = call.associations["contacts"]
    assert contacts is not None
    assert contacts.paging is not None
    assert [one.id for one in contacts.results] == ["101", "101"]
    assert contacts.paging.after == "102"


def test_last_page() -> None:
    """A page is the last when `paging`, or `next` in it, is absent or null."""
    for paging in (None, {}, {"next": None}):
        assert schema.decode_page(body(results=[], paging=paging)).after is None
    assert schema.decode_page(body(results=[])).after is None


@pytest.mark.parametrize("after", ["NTI1Cg%3D%3D", " 5", "525", 525])
def test_cursor(after: str | int) -> None:
    """The cursor is given back exactly as received."""
    page = schema.decode_page(body(results=[], paging={"next": {"after": after}}))
    assert str(after) == page.after


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"<html>502</html>",
        b'{"results":',
        body(),
        body(results=None),
        body(results={}),
        body(results=[], paging={"next": {}}),
        body(results=[], paging={"next": {"after": ""}}),
        body(results=[], paging={"next": {"after": None}}),
        body(results=[], paging=[]),
        b'{"results":[' + b"[" * 100_000 + b"]}",
    ],
)
def test_no_answer(raw: bytes) -> None:
    """What is not JSON, has no results or loses its cursor is one clear error."""
    with pytest.raises(schema.AnswerError, match=r"^[\w$`]"):
        schema.decode_page(raw)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"id": ""}, "$.id"),
        ({"id": "51a"}, "$.id"),
        ({"id": "\u0665\u0661"}, "$.id"),
        ({"id": None}, "$.id"),
        ({"id": -5}, "$.id"),
        ({"id": 5.5}, "$.id"),
        ({"createdAt": "yesterday"}, "$.createdAt"),
        ({"createdAt": "2024-01-15T10:30:00"}, "$.createdAt"),
        ({"updatedAt": 1705316400123}, "$.updatedAt"),
        ({"updatedAt": None}, "$.updatedAt"),
        ({"archived": None}, "$.archived"),
        ({"properties": None}, "$.properties"),
    ],
)
def test_strict(change: dict[str, object], error: str) -> None:
    """A record that is wrong in what must be right is set aside with its bytes."""
    good = {**RECORD, "id": "7"}
    bad = {**RECORD, **change}
    page = schema.decode_page(body(results=[good, bad, good], paging={"next": {"after": "8"}}))
    assert [call.id for call in page.calls] == ["7", "7"]
    assert page.after == "8"
    (aside,) = page.undecodable
    assert bad == json.loads(aside.raw)
    assert error in aside.error
    assert aside.call_id == (None if "id" in change else "512")


@pytest.mark.parametrize("name", ["id", "properties", "createdAt", "updatedAt", "archived"])
def test_required(name: str) -> None:
    """A record that lacks a required field is set aside."""
    bad = {key: value for key, value in RECORD.items() if key != name}
    page = schema.decode_page(body(results=[RECORD, bad]))
    assert (len(page.calls), len(page.undecodable)) == (1, 1)
    assert f"`{name}`" in page.undecodable[0].error


def test_property_that_is_no_text() -> None:
    """A property value that is no text is kept as its JSON text."""
    raw = (
        b'{"a":1800000,"b":true,"c":1.50,"d":[1,{"x":null}],"e":null,"f":123456789012345678901234}'
    )
    record = json.dumps(RECORD).replace(json.dumps(RECORD["properties"]), raw.decode())
    call = schema.decode_call(record.encode())
    assert dict(call.properties) == {
        "a": "1800000",
        "b": "true",
        "c": "1.50",
        "d": '["1", {"x": null}]',
        "e": None,
        "f": "123456789012345678901234",
    }


def test_half_a_surrogate_pair() -> None:
    """A cut-off emoji costs one character, not the record and not the page."""
    raw = body(results=[{**RECORD, "properties": {"hs_call_title": "cut \ud83d"}}])
    assert rb"\ud83d" in raw
    page = schema.decode_page(raw)
    assert [call.properties["hs_call_title"] for call in page.calls] == ["cut \ufffd"]


def test_bytes_that_are_no_text() -> None:
    """A record that is not UTF-8 is set aside and its page goes on."""
    raw = body(results=[RECORD, RECORD]).replace(b"Discovery", b"Disc\xffvery", 1)
    page = schema.decode_page(raw)
    assert (len(page.calls), [one.error for one in page.undecodable]) == (1, ["not UTF-8"])


def test_batch_with_missing_ids() -> None:
    """Of a 207 the ids are missing that an OBJECT_NOT_FOUND error names, and no others."""
    batch = schema.decode_batch(
        body(
            status="COMPLETE",
            results=[RECORD],
            numErrors=2,
            errors=[
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some CALL objects, they may be deleted.",
                    "context": {"ids": ["123", 124, "x"]},
                },
                {"category": "VALIDATION_ERROR", "context": {"ids": ["9"]}},
                "what is this",
            ],
            startedAt="2024-01-15T11:00:00.000Z",
            completedAt=None,
        )
    )
    assert frozenset({"123", "124"}) == batch.missing
    assert (batch.status, batch.num_errors, len(batch.errors)) == ("COMPLETE", 2, 2)


@pytest.mark.parametrize("errors", [None, [], {}, "none", [None], [{"context": "ids"}]])
def test_batch_errors_in_any_form(errors: object) -> None:
    """Errors in a form of their own name no missing id and cost no result."""
    batch = schema.decode_batch(body(status="COMPLETE", results=[RECORD], errors=errors))
    assert (1, frozenset()) == (len(batch.calls), batch.missing)


def test_search() -> None:
    """A search says how many calls match, and without that it is no answer."""
    page = schema.decode_search(body(total=9001, results=[RECORD], paging={"next": {"after": "1"}}))
    assert (page.total, page.after, len(page.calls)) == (9001, "1", 1)
    for wrong in ({}, {"total": None}, {"total": -1}, {"total": "many"}):
        with pytest.raises(schema.AnswerError):
            schema.decode_search(body(results=[], **wrong))


def test_repr_hides_what_was_said() -> None:
    """Neither a call nor a record set aside shows its properties when it is printed."""
    page = schema.decode_page(body(results=[RECORD, {**RECORD, "archived": 5}]))
    assert "512" in repr(page)
    assert "Discovery" not in repr(page)
