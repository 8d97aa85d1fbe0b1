"""What each id of a batch read came to, from the bytes of the answer."""

import json

import pytest

from jobs.hubspot.batches import Gathering, judge_calls
from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.hubspot.reads import CallsRead
from jobs.hubspot.schema import decode_association_batch, decode_batch
from jobs.hubspot.transport import Answer

NOON = "Mon, 23 Nov 2026 12:00:00 GMT"


def call(call_id: str, **members: object) -> dict[str, object]:
    """Return a record as HubSpot answers it."""
    times = {"createdAt": "2024-01-15T10:30:00Z", "updatedAt": "2024-01-15T11:00:00Z"}
    return {"id": call_id, "properties": {}, "archived": False, **times, **members}


def error(category: str | None, **context: list[str]) -> dict[str, object]:
    """Return one of the errors of a 207."""
    return {"status": "error", "category": category, "message": "No.", "context": context}


def judged(*asked: str, status: str | None = "COMPLETE", **body: object) -> CallsRead:
    """Return what the ids came to."""
    raw = json.dumps({"status": status, "results": [], **body}).encode()
    return judge_calls(asked, decode_batch(raw), Answer(207, {"Date": NOON}, raw, 42))


def test_every_id_is_in_one_place() -> None:
    """Found, missing, refused, undecodable and unanswered ids do not overlap."""
    read = judged(
        *"123456",
        results=[call("1"), call("2", archived="perhaps"), call("9")],
        errors=[error("OBJECT_NOT_FOUND", ids=["3", "777"]), error("FORBIDDEN_ID", ids=["4"])],
    )

    assert list(read.calls) == ["1", "9"]
    assert [record.call_id for record in read.undecodable] == ["2"]
    assert read.missing == {"3"}
    assert read.refused == {"4": "FORBIDDEN_ID"}
    assert read.unanswered == ("5", "6")
    assert (read.date_ms, read.elapsed_ms) == (1_795_435_200_000, 42)


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING", "CANCELED"])
def test_an_unfinished_batch_is_no_answer(status: str) -> None:
    """What a batch lacks that HubSpot has not finished is not missing."""
    with pytest.raises(PortalFailure, match="not complete"):
        judged("1", status=status)


def test_a_batch_without_a_status_is_finished() -> None:
    """Only the batch that says so is not finished."""
    assert judged("1", status=None, results=[call("1")]).calls.keys() == {"1"}


@pytest.mark.parametrize("category", ["VALIDATION_ERROR", None])
def test_an_error_that_names_nobody_may_mean_any(category: str | None) -> None:
    """An error without ids refuses the batch, so that halving finds whom it means."""
    with pytest.raises(RecordRefused) as caught:
        judged("1", "2", results=[call("1")], errors=[error(category)])
    assert (caught.value.status, caught.value.category) == (207, category)


def test_not_found_without_ids_names_nobody() -> None:
    """An id counts as missing only if it is named: the others are read singly."""
    assert judged("1", errors=[error("OBJECT_NOT_FOUND")]).unanswered == ("1",)


def gathered(gathering: Gathering, *rows: object, errors: object = ()) -> Gathering:
    """Take one more answer."""
    raw = json.dumps({"status": "COMPLETE", "results": rows, "errors": errors}).encode()
    gathering.add(decode_association_batch(raw), 207)
    return gathering


def row(call_id: str, *others: int | str, after: str | None = None) -> dict[str, object]:
    """Return the associations of one call."""
    paging = {} if after is None else {"paging": {"next": {"after": after}}}
    return {"from": {"id": call_id}, "to": [{"toObjectId": other} for other in others], **paging}


def test_pages_are_gathered() -> None:
    """A call that goes on is asked for again from its cursor, the others are complete."""
    gathering = gathered(Gathering(["1", "2", "3"]), row("1", 20, 3, after="a"), row("2", "7"))

    assert gathering.cursors == {"1": "a"}
    read = gathered(gathering, row("1", 3, 100)).read()
    assert read.ids == {"1": ("3", "20", "100"), "2": ("7",), "3": ()}
    assert read.requests == 2


def test_no_associations_is_no_error() -> None:
    """HubSpot reports a call without associations as not found."""
    gathering = gathered(Gathering(["1"]), errors=[error("OBJECT_NOT_FOUND", fromObjectId=["1"])])

    assert gathering.read().ids == {"1": ()}
    assert gathering.cursors == {}


def test_a_circle_ends() -> None:
    """A cursor that comes again would be followed for ever."""
    gathering = gathered(Gathering(["1"]), row("1", 1, after="a"))
    gathered(gathering, row("1", 2, after="b"))

    with pytest.raises(PortalFailure, match="paging does not advance"):
        gathered(gathering, row("1", 2, after="a"))


def test_an_unknown_error_refuses_the_batch() -> None:
    """Whatever else went wrong, the lists may not be whole."""
    with pytest.raises(RecordRefused) as caught:
        gathered(Gathering(["1", "2"]), row("1", 1), errors=[error("FORBIDDEN_ID", ids=["2"])])
    assert caught.value.category == "FORBIDDEN_ID"


def test_an_unreadable_row_leaves_its_call_out() -> None:
    """The associations of a call whose row does not decode are not known."""
    gathering = gathered(Gathering(["1", "2"]), {"from": {"id": "1"}, "to": [{}]}, row("2", 5))

    read = gathering.read()

    assert read.ids == {"2": ("5",)}
    assert [record.call_id for record in read.undecodable] == ["1"]


@pytest.mark.parametrize("near", [{}, {"id": "777"}])
def test_a_row_of_nobody_may_be_anybodys(near: dict[str, str]) -> None:
    """A row that names none of the calls refuses the batch, down to the one it must be about."""
    with pytest.raises(RecordRefused):
        gathered(Gathering(["1", "2"]), {"from": near, "to": 0}).read()

    alone = gathered(Gathering(["1"]), {"from": near, "to": 0}).read()
    assert alone.ids == {}
    assert len(alone.undecodable) == 1
