"""How the bytes of dead letters are kept: stripped of values, encrypted, or open."""

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from jobs.accounts.vault import SealedError
from jobs.config.values import Secret
from jobs.deadletters.envelope import Envelope, Kept
from jobs.deadletters.stripping import stripped
from jobs.ledger.deadletters import FIELDS, RAW_BYTES, DeadLetter

KEY, OTHER_KEY = (Secret(Fernet.generate_key().decode()) for _ in range(2))
SECRET = "+49 170 1234567"


def kept_as(envelope: Envelope, letter: DeadLetter) -> tuple[Kept, bytes]:
    """Return how the envelope keeps a letter's bytes, and what is written down."""
    words = envelope.fields(letter)
    told = dict(zip(words[::2], words[1::2], strict=True))
    assert len(told) == FIELDS
    kept, raw = told["kept"], told["raw"]
    assert isinstance(raw, bytes)
    return msgspec.convert(kept, Kept), raw


def letter_of(raw: bytes, reason: str = "malformed-notification") -> DeadLetter:
    """Return a letter about these bytes."""
    return DeadLetter(reason=reason, error="x", raw=raw)


def test_values_are_taken_out_of_a_notification() -> None:
    """Ids, times and fixed words stay; of everything else only the kind of value does."""
    said = {
        "portalId": 62515,
        "objectId": SECRET,
        "subscriptionType": "object.propertyChange",
        "propertyName": "hs_call_body",
        "propertyValue": SECRET,
        "mergedObjectIds": [1, SECRET],
        "extra": {"deep": SECRET},
        SECRET: SECRET,
        "list": [SECRET],
        "flag": True,
        "number": 491701234567,
        "nothing": None,
    }
    kept, raw = kept_as(Envelope(), letter_of(msgspec.json.encode(said)))
    assert kept == "stripped"
    assert msgspec.json.decode(raw) == {
        "portalId": 62515,
        "objectId": "<text of 15>",
        "subscriptionType": "object.propertyChange",
        "propertyName": "hs_call_body",
        "propertyValue": "<text of 15>",
        "mergedObjectIds": [1, "<text of 15>"],
        "extra": "<object>",
        "other": "<text of 15>",
        "list": "<array>",
        "flag": "<boolean>",
        "number": "<number>",
        "nothing": None,
    }


def test_an_id_that_is_none_is_not_kept() -> None:
    """A text where an id belongs is kept only if it could be one: it may be anything."""
    said = {
        "objectId": "what-was-said-on-the-call",
        "portalId": "62515",
        "objectTypeId": "0-48",
        "occurredAt": "2024-01-15T11:00:00.000Z",
        "toObjectId": "+491701234567",
        "mergedObjectIds": ["7", "said"],
        "changeSource": "said on a call",
        "propertyName": "hs_call_title",
    }
    shown = stripped(msgspec.json.encode(said))
    assert shown is not None
    assert msgspec.json.decode(shown) == {
        **said,
        "objectId": "<text of 25>",
        "toObjectId": "<text of 13>",
        "mergedObjectIds": ["7", "<text of 4>"],
        "changeSource": "<text of 14>",
    }


@pytest.mark.parametrize("reason", ["malformed-notification", "malformed-journal-entry"])
def test_notifications_are_stripped_with_keys_as_well(reason: str) -> None:
    """What has no values any more needs no key to be looked at."""
    assert kept_as(Envelope([KEY]), letter_of(b'{"a": "b"}', reason))[0] == "stripped"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.just(f"x {SECRET}"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_text_survives(value: object) -> None:
    """Whatever form a notification has, nothing that was said in it is left."""
    shown = stripped(msgspec.json.encode(value))
    assert shown is not None
    assert SECRET.encode() not in shown


def test_a_record_is_sealed_and_opens_again() -> None:
    """With keys the bytes of a record are encrypted, and open under any of the keys."""
    kept, raw = kept_as(Envelope([KEY]), letter_of(SECRET.encode(), "undecodable-call"))
    assert kept == "sealed"
    assert SECRET.encode() not in raw
    assert Envelope([OTHER_KEY, KEY]).open(kept, raw) == SECRET.encode()
    for keys in ([OTHER_KEY], []):
        with pytest.raises(SealedError):
            Envelope(keys).open(kept, raw)


def test_a_notification_that_is_no_json_is_sealed() -> None:
    """What cannot be stripped is treated as a record."""
    assert kept_as(Envelope([KEY]), letter_of(b'{"a": '))[0] == "sealed"
    assert kept_as(Envelope(), letter_of(b'{"a": ')) == ("open", b'{"a": ')


def test_bytes_are_bounded() -> None:
    """A letter keeps at most so many bytes of what it is about; of nothing it keeps nothing."""
    kept, raw = kept_as(Envelope([KEY]), letter_of(b"x" * 2 * RAW_BYTES, "refused"))
    assert len(Envelope([KEY]).open(kept, raw)) == RAW_BYTES
    assert kept_as(Envelope([KEY]), letter_of(b"", "refused")) == ("", b"")
