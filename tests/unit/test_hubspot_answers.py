"""Associations, errors, dispositions, accounts and tokens are read in each form HubSpot uses."""

import json

import pytest

from jobs.hubspot import schema


def body(**members: object) -> bytes:
    """Return a JSON object."""
    return json.dumps(members).encode()


FAR_SIDES = {
    "v3": [{"id": "20", "type": "call_to_contact"}, {"id": "3", "type": "call_to_contact"}],
    "v4": [{"toObjectId": 20, "associationTypes": [{"typeId": 194}]}, {"toObjectId": 3}],
    "2026-03": [{"toObjectId": "20", "associationTypes": []}, {"toObjectId": "3"}],
}


@pytest.mark.parametrize("form", FAR_SIDES)
def test_association_batch(form: str) -> None:
    """A batch answer gives each call's far sides and where the call's own listing goes on."""
    paging = {"next": {"after": "MjA%3D", "link": "https://elsewhere.example/"}}
    row = {"from": {"id": "512"}, "to": FAR_SIDES[form], "paging": paging}
    error = {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": "No contact is associated with call 513.",
        "context": {"fromObjectId": ["513"], "fromObjectType": ["call"]},
    }
    batch = schema.decode_association_batch(
        body(status="COMPLETE", results=[row], numErrors=1, errors=[error])
    )
    assert batch.found == {"512": schema.Associations(("20", "3"), "MjA%3D")}
    assert batch.errors[0].context["fromObjectId"] == ("513",)


def test_association_rows_of_one_call() -> None:
    """Several rows of one call are put together."""
    rows = [
        {"from": {"id": "1"}, "to": [{"toObjectId": 2}], "paging": {"next": {"after": "x"}}},
        {"from": {"id": 1}, "to": [{"toObjectId": 3}]},
    ]
    batch = schema.decode_association_batch(body(results=rows))
    assert batch.found == {"1": schema.Associations(("2", "3"), "x")}


def test_bad_association_row() -> None:
    """A row with an unreadable far side is set aside whole: half of it would look like removals."""
    rows = [
        {"from": {"id": "1"}, "to": [{"toObjectId": "2"}, {"toObjectId": "two"}]},
        {"from": {"id": "3"}, "to": [{"toObjectId": "4"}]},
        {"from": {"id": "5"}, "to": [{}]},
    ]
    batch = schema.decode_association_batch(body(results=rows))
    assert list(batch.found) == ["3"]
    assert [row.call_id for row in batch.undecodable] == ["1", "5"]


@pytest.mark.parametrize("form", FAR_SIDES)
def test_associations_of_one_call(form: str) -> None:
    """The listing of one call's associations is read in the same forms."""
    raw = body(results=FAR_SIDES[form], paging={"next": {"after": "4"}})
    assert schema.decode_associations(raw) == schema.Associations(("20", "3"), "4")


@pytest.mark.parametrize("far", [{}, {"toObjectId": "x"}, {"toObjectId": None}, None])
def test_bad_association(far: object) -> None:
    """A far side that cannot be read makes the listing unreadable."""
    with pytest.raises(schema.AnswerError):
        schema.decode_associations(body(results=[{"toObjectId": 1}, far]))


def test_sorted_ids() -> None:
    """Ids are put in the order of their numbers, each once."""
    assert schema.sorted_ids(["20", "3", "100", "3"]) == ("3", "20", "100")


def test_burst_limit() -> None:
    """A 429 of the burst limit names its policy."""
    error = schema.decode_error(
        body(
            status="error",
            message="You have reached your ten_secondly_rolling limit.",
            errorType="RATE_LIMIT",
            correlationId="2c1b0e5e-5b8b-4f3c-8b0e-5b8b4f3c8b0e",
            policyName="TEN_SECONDLY_ROLLING",
            groupName="publicapi:private-apps",
            requestId="1",
        )
    )
    assert (error.policy_name, error.error_type) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert error.correlation_id == "2c1b0e5e-5b8b-4f3c-8b0e-5b8b4f3c8b0e"


def test_search_limit() -> None:
    """A 429 of the search limit has a category and a message, no policy."""
    error = schema.decode_error(
        body(
            status="error", message="You have reached your secondly limit.", category="RATE_LIMITS"
        )
    )
    assert (error.category, error.policy_name) == ("RATE_LIMITS", None)
    assert error.message == "You have reached your secondly limit."


def test_missing_scopes() -> None:
    """A 403 names the scopes that are wanted."""
    wanted = {"requiredGranularScopes": ["crm.objects.contacts.read"]}
    detail = {"message": "One or more of the following scopes are required.", "context": wanted}
    error = schema.decode_error(body(category="MISSING_SCOPES", errors=[{**detail, "in": "token"}]))
    assert error.errors[0].context["requiredGranularScopes"] == ("crm.objects.contacts.read",)
    assert error.errors[0].where == "token"


@pytest.mark.parametrize(
    ("sub_category", "expected"),
    [("crm.X", "crm.X"), ({"name": "X"}, '{"name": "X"}'), (None, None)],
)
def test_sub_category(sub_category: object, expected: str | None) -> None:
    """`subCategory` is read as text and as an object."""
    assert schema.decode_error(body(subCategory=sub_category)).sub_category == expected


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_error_that_tells_nothing(raw: bytes) -> None:
    """A body that is no error object is an empty error."""
    assert schema.decode_error(raw) == schema.ErrorBody()


def test_dispositions() -> None:
    """Labels are given by id; entries without either are left out, unknown keys passed over."""
    listed = [
        {"id": "a1", "label": "Sold", "deleted": False},
        {"id": 7, "label": "Seven"},
        {"id": "b2", "label": None},
        {"label": "Nobody"},
        None,
    ]
    assert schema.decode_dispositions(json.dumps(listed).encode()) == {"a1": "Sold", "7": "Seven"}


def test_account() -> None:
    """The account details name the portal, and where its day begins."""
    account = schema.decode_account(
        body(portalId=62515, accountType="STANDARD", timeZone="US/Eastern", utcOffset="-05:00")
    )
    assert (account.portal_id, account.time_zone) == (62515, "US/Eastern")
    with pytest.raises(schema.AnswerError):
        schema.decode_account(body(portalId=None))


@pytest.mark.parametrize(
    "answer",
    [
        {"userId": 1, "hubId": 62515, "appId": 9, "scopes": ["crm.objects.contacts.read"]},
        {"hub_id": 62515, "app_id": 9, "scopes": ["crm.objects.contacts.read"], "active": True},
        {"hub_id": "62515", "app_id": "9", "scopes": ["crm.objects.contacts.read"]},
    ],
)
def test_token_info(answer: dict[str, object]) -> None:
    """Token information is read in the private apps' form and in the OAuth form."""
    token = schema.decode_token_info(body(token="secret", **answer))
    expected = schema.TokenInfo(portal_id=62515, app_id=9, scopes=("crm.objects.contacts.read",))
    assert token == expected
    assert "secret" not in repr(token)


def test_token_of_no_portal() -> None:
    """Token information that names no portal is an error."""
    with pytest.raises(schema.AnswerError, match="names no portal"):
        schema.decode_token_info(body(app_id=9, scopes=[]))


def test_property_names() -> None:
    """Definitions are read for their names, whatever else they hold."""
    listed = {"results": [{"name": "hs_call_title", "options": []}, {"name": "score", "x": 1e400}]}
    assert schema.decode_property_names(json.dumps(listed).encode()) == ("hs_call_title", "score")
    assert schema.decode_property_names(b'{"results": []}') == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"results": {"name": "hs_call_title"}}',
        b'{"results": [{"name": "hs_call_title"}, {"label": "Score"}]}',
        b'{"results": [{"name": "hs_call_title"}, {"name": ""}]}',
        b'{"results": [{"name": "hs_call_title"}, null]}',
        b'{"results": [{"name": "hs_call_title"}, {"na',
    ],
)
def test_half_a_list_of_properties_is_none(raw: bytes) -> None:
    """A list with a definition that has no name is no list: less would be read for it."""
    with pytest.raises(schema.AnswerError):
        schema.decode_property_names(raw)


def test_associated_types() -> None:
    """Each type on either side of a call's associations is named once, calls themselves not."""
    pairs = [("0-48", "0-1"), ("0-1", "0-48"), ("0-48", "0-1"), ("2-5", "0-48"), ("0-48", "0-48")]
    listed = [{"fromObjectTypeId": a, "toObjectTypeId": b, "id": "1"} for a, b in pairs]
    assert schema.decode_associated_types(body(associations=listed)) == ("0-1", "2-5")
    assert schema.decode_associated_types(body(associations=[])) == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"associations": {"fromObjectTypeId": "0-48", "toObjectTypeId": "0-1"}}',
        b'{"associations": [{"fromObjectTypeId": "0-48"}]}',
        b'{"associations": [{"fromObjectTypeId": "0-48", "toObjectTypeId": null}]}',
        b'{"associations": [null]}',
    ],
)
def test_half_a_schema_is_none(raw: bytes) -> None:
    """A schema with an association that lacks a type is no schema: less would be read for it."""
    with pytest.raises(schema.AnswerError):
        schema.decode_associated_types(raw)
