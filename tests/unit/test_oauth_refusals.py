"""What the token endpoints' refusals mean: void for good, our app unknown, or only not now."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.hubspot.errors import GrantRefused, PortalFailure
from jobs.hubspot.oauth import refusal_of
from jobs.hubspot.transport import Answer


def answer(status: int, body: object, **headers: str) -> Answer:
    """Return an answer with a JSON body, or with the text as it is."""
    raw = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, headers, raw.encode(), 1)


@pytest.mark.parametrize(
    "body",
    [
        {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"},
        {"category": "BAD_REFRESH_TOKEN", "correlationId": "c", "message": "m"},
        {"error": "invalid_grant", "error_description": "refresh token is invalid"},
        {"status": "error", "category": "VALIDATION_ERROR", "error": "invalid_grant"},
        {"status": "BAD_AUTH_CODE"},
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_void_grant(status: int, body: object) -> None:
    """HubSpot's explicit word, old or new, makes a grant void."""
    assert isinstance(refusal_of(answer(status, body)), GrantRefused)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant"}, "BAD_REFRESH_TOKEN"),
        ({"error": "invalid_grant", "error_description": "void"}, "invalid_grant"),
        ({"category": "VALIDATION_ERROR", "error": "invalid_grant"}, "invalid_grant"),
    ],
)
def test_the_word_that_voids_is_told(body: object, word: str) -> None:
    """Operators are told the word by which HubSpot refuses, and not another one beside it."""
    assert refusal_of(answer(400, body)).category == word


@pytest.mark.parametrize(
    "body",
    [
        {"status": "BAD_CLIENT_ID"},
        {"status": "BAD_CLIENT_SECRET", "error": "invalid_client"},
        {"error": "unauthorized_client"},
    ],
)
def test_an_app_that_is_not_known(body: object) -> None:
    """Wrong credentials of the app are nobody's grant."""
    refusal = refusal_of(answer(400, body))
    assert isinstance(refusal, PortalFailure)
    assert refusal.kind == "app_refused"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"status": "BAD_GRANT_TYPE"}, "server"),
        (400, {}, "server"),
        (400, "<html>", "server"),
        (401, {}, "unauthorised"),
        (404, {"error": "invalid_grant"}, "no_such_path"),
        (429, {"error": "invalid_grant"}, "rate_limited"),
        (500, {"error": "invalid_grant"}, "server"),
        (502, "<html>", "server"),
        (302, "", "server"),
        (423, {}, "locked"),
    ],
)
def test_anything_else_may_pass(status: int, body: object, kind: str) -> None:
    """Without HubSpot's explicit word in an answer of its own a grant is not given up."""
    refusal = refusal_of(answer(status, body))
    assert isinstance(refusal, PortalFailure)
    assert refusal.kind == kind


def test_a_rate_limit_tells_when() -> None:
    """The time that a 429 asks to wait is obeyed."""
    refusal = refusal_of(answer(429, {}, **{"Retry-After": "7"}))
    assert isinstance(refusal, PortalFailure)
    assert refusal.retry_after_ms == 7_000


@given(
    status=st.integers(300, 599),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["status", "category", "error"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_any_answer_means_something(status: int, body: object) -> None:
    """Whatever is answered is one of the three, and no value of the body is in the error."""
    refusal = refusal_of(answer(status, {"error": "planted secret value", "more": body}))
    assert isinstance(refusal, GrantRefused | PortalFailure)
    assert "planted secret" not in str(refusal)
