"""Whatever HubSpot may answer by our description decodes; whatever else is one known error."""

import contextlib
from collections.abc import Callable
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from jobs.hubspot import schema
from tests.support import documents
from tests.support.documents import Document

DECODERS: list[Callable[[bytes], object]] = [
    schema.decode_account,
    schema.decode_association_batch,
    schema.decode_associations,
    schema.decode_batch,
    schema.decode_call,
    schema.decode_dispositions,
    schema.decode_page,
    schema.decode_search,
    schema.decode_token_info,
]


def read_back(record: Document) -> dict[str, str | None]:
    """Return the properties of a generated record as they are read."""
    properties = cast("dict[str, str | None]", record["properties"])
    return {
        documents.whole(name): None if value is None else documents.whole(value)
        for name, value in properties.items()
    }


@given(documents.pages)
def test_page(page: Document) -> None:
    """Every page of our description decodes: all its calls, their properties and the cursor."""
    decoded = schema.decode_page(documents.encode(page))
    records = cast("list[Document]", page["results"])
    assert decoded.undecodable == ()
    assert [call.id for call in decoded.calls] == [str(record["id"]) for record in records]
    assert [dict(call.properties) for call in decoded.calls] == list(map(read_back, records))
    following = cast("Document", cast("Document", page.get("paging") or {}).get("next") or {})
    after = cast("str | None", following.get("after"))
    assert decoded.after == (None if after is None else documents.whole(after))


@given(documents.batches)
def test_batch(batch: Document) -> None:
    """Every batch answer of our description decodes, its errors in whatever form."""
    decoded = schema.decode_batch(documents.encode(batch))
    assert decoded.undecodable == ()
    assert len(decoded.calls) == len(cast("list[Document]", batch["results"]))
    assert all(one.isascii() and one.isdigit() for one in decoded.missing)


@given(documents.pages, st.integers(0, 2**63 - 1))
def test_search(page: Document, total: int) -> None:
    """Every search page of our description decodes and says how many calls match."""
    assert schema.decode_search(documents.encode({**page, "total": total})).total == total


@given(documents.calls)
def test_history(record: Document) -> None:
    """History in any form costs the call nothing; what has the documented form is given."""
    call = schema.decode_call(documents.encode(record))
    assert call.id == str(record["id"])
    assert all(isinstance(versions, tuple) for versions in schema.history(call).values())


@given(st.lists(documents.association_rows, max_size=4))
def test_associations(rows: list[Document]) -> None:
    """Every associations batch answer of our description names each far side of each call."""
    decoded = schema.decode_association_batch(documents.encode({"results": rows}))
    expected: dict[str, list[str]] = {}
    for row in rows:
        fars = cast("list[Document]", row["to"])
        call_id = str(cast("Document", row["from"])["id"])
        found = [str(far["toObjectId"] if "toObjectId" in far else far["id"]) for far in fars]
        expected.setdefault(call_id, []).extend(found)
    assert decoded.undecodable == ()
    assert {key: list(page.ids) for key, page in decoded.found.items()} == expected


@given(st.lists(documents.calls | documents.values, max_size=5), st.data())
def test_isolation(records: list[object], data: st.DataObject) -> None:
    """Among anything at all every good record is read, in order, and every other set aside."""
    good = data.draw(documents.calls)
    records.insert(data.draw(st.integers(0, len(records))), good)
    page = schema.decode_page(documents.encode({"results": records}))
    assert len(page.calls) + len(page.undecodable) == len(records)
    assert str(good["id"]) in [call.id for call in page.calls]


@given(st.binary() | documents.values.map(documents.encode), st.sampled_from(DECODERS))
def test_anything(raw: bytes, decode: Callable[[bytes], object]) -> None:
    """Bytes of any kind decode or raise `AnswerError`, nothing else."""
    with contextlib.suppress(schema.AnswerError):
        decode(raw)


@given(documents.pages.map(documents.encode), st.sampled_from(DECODERS), st.data())
def test_damaged(raw: bytes, decode: Callable[[bytes], object], data: st.DataObject) -> None:
    """An answer that was cut or had a byte changed decodes or raises `AnswerError`."""
    at = data.draw(st.integers(0, len(raw) - 1))
    damaged = (
        raw[:at]
        + data.draw(st.binary(max_size=2))
        + data.draw(st.sampled_from([raw[at + 1 :], b""]))
    )
    with contextlib.suppress(schema.AnswerError):
        decode(damaged)


@given(st.binary() | (documents.errors | documents.values).map(documents.encode))
def test_error_body(raw: bytes) -> None:
    """An error body never raises, whatever it is."""
    assert isinstance(schema.decode_error(raw), schema.ErrorBody)
