"""Only what HubSpot signed, for our URL and within five minutes, is accepted."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.front_door.signature import (
    MAX_SKEW_MS,
    Delivery,
    Reason,
    Verdict,
    Verifier,
    decode_listed,
    sign_v1,
    sign_v2,
    sign_v3,
)

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
ORIGIN = "https://www.example.com"
TARGET = b"/webhook_uri"
SDK_BODY = b"{'example_field':'example_value'}"
DOCS_BODY = b'{"example_field":"example_value"}'
DOCS_EVENTS = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,'
    b'"changeSource":"CRM","changeFlag":"NEW","appId":54321}]'
)
CREATION = (
    b'[{"eventId":2145459286,"subscriptionId":3849706,"portalId":145883449,"appId":14947547,'
    b'"occurredAt":1751276050977,"subscriptionType":"object.creation","attemptNumber":0,'
    b'"objectId":180584432881,"objectTypeId":"0-48","changeFlag":"CREATED",'
    b'"changeSource":"CRM_UI","sourceId":"userId:75514748"}]'
)
NOW = 1_751_276_051_500


def v3_headers(signature: bytes, timestamp: int) -> dict[bytes, bytes]:
    """Return the headers of a v3 signature."""
    return {
        b"x-hubspot-signature-v3": signature,
        b"x-hubspot-request-timestamp": str(timestamp).encode(),
    }


def hex_headers(signature: bytes, version: bytes) -> dict[bytes, bytes]:
    """Return the headers of a v1 or v2 signature."""
    return {b"x-hubspot-signature": signature, b"x-hubspot-signature-version": version}


def delivery(
    headers: Mapping[bytes, bytes],
    *,
    body: bytes = SDK_BODY,
    target: bytes = TARGET,
    method: str = "POST",
) -> Delivery:
    """Return a delivery to the documentation's URL."""
    return Delivery(method, target, headers, body)


def signed(
    timestamp: int = NOW, *, secret: str = SECRET, uri: bytes = ORIGIN.encode() + TARGET
) -> Delivery:
    """Return a delivery with a v3 signature of the SDK's body."""
    moment = str(timestamp).encode()
    return delivery(v3_headers(sign_v3(secret.encode(), b"POST", uri, SDK_BODY, moment), timestamp))


@pytest.mark.parametrize(
    ("timestamp", "signature"),
    [
        (1_693_657_560_000, b"K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        (1_700_000_300_000, b"RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ],
    ids=["python-sdk", "ruby-sdk"],
)
def test_v3_published(timestamp: int, signature: bytes) -> None:
    """The v3 signatures that HubSpot's SDKs publish are accepted."""
    verdict = Verifier([SECRET], ORIGIN).verify(
        delivery(v3_headers(signature, timestamp)), timestamp
    )

    assert verdict == Verdict(Reason.VALID, version="v3", skew_ms=0)


@pytest.mark.parametrize(
    ("target", "body", "signature"),
    [
        (
            b"/hubspot",
            '[{"eventId":1,"propertyValue":"Café \N{EN DASH} 日本語 🎧"}]'.encode(),
            b"HeREtjBZrK8PoiTdZ49EJc1n8cwZc2WMUchYunEYD3I=",
        ),
        (
            b"/hubspot/calls?tenant=a%2Fb",
            CREATION,
            b"yXYSxSFYmcWHYkHIrInYGYJTgbUSE8HSuhZ5MM9C5mc=",
        ),
    ],
    ids=["utf-8", "escaped-query"],
)
def test_v3_computed(target: bytes, body: bytes, signature: bytes) -> None:
    """The body counts byte for byte, and a listed escape of the query counts as its character."""
    verdict = Verifier([SECRET], "https://hooks.example.com").verify(
        delivery(v3_headers(signature, NOW), body=body, target=target), NOW
    )

    assert verdict.accepted


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (DOCS_EVENTS, b"232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"),
        (SDK_BODY, b"69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"),
    ],
)
def test_v1_published(body: bytes, signature: bytes) -> None:
    """The v1 signatures that HubSpot publishes are accepted where v1 is allowed."""
    verdict = Verifier([SECRET], ORIGIN, ["v1"]).verify(
        delivery(hex_headers(signature, b"v1"), body=body), NOW
    )

    assert verdict == Verdict(Reason.VALID, version="v1")


@pytest.mark.parametrize(
    ("method", "body", "signature"),
    [
        ("GET", b"", b"eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        ("POST", DOCS_BODY, b"9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900"),
        ("POST", SDK_BODY, b"4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"),
    ],
)
def test_v2_published(method: str, body: bytes, signature: bytes) -> None:
    """The v2 signatures that HubSpot publishes are accepted where v2 is allowed."""
    verdict = Verifier([SECRET], ORIGIN, ["v2"]).verify(
        delivery(hex_headers(signature, b"v2"), body=body, method=method), NOW
    )

    assert verdict == Verdict(Reason.VALID, version="v2")


@pytest.mark.parametrize("version", [b"v1", b"v2"])
def test_older_versions_by_setting(version: bytes) -> None:
    """A good v1 or v2 signature is nothing where only v3 is allowed."""
    signature = (
        sign_v1(SECRET.encode(), SDK_BODY)
        if version == b"v1"
        else sign_v2(SECRET.encode(), b"POST", ORIGIN.encode() + TARGET, SDK_BODY)
    )
    sent = delivery(hex_headers(signature, version))

    assert Verifier([SECRET], ORIGIN).verify(sent, NOW).reason is Reason.MISSING
    assert Verifier([SECRET], ORIGIN, ["v3", "v2", "v1"]).verify(sent, NOW).accepted


def test_older_version_does_not_stand_in() -> None:
    """The v1 signature beside a v3 one does not lift the refusal of the v3 one."""
    bad = signed(secret="another")
    both = msgspec.structs.replace(
        bad,
        headers={**bad.headers, **hex_headers(sign_v1(SECRET.encode(), SDK_BODY), b"v1")},
    )

    assert not Verifier([SECRET], ORIGIN).verify(both, NOW).accepted


@pytest.mark.parametrize("skew_ms", [-MAX_SKEW_MS, 0, MAX_SKEW_MS])
def test_within_five_minutes(skew_ms: int) -> None:
    """A timestamp is good up to exactly five minutes either way."""
    assert Verifier([SECRET], ORIGIN).verify(signed(NOW + skew_ms), NOW).accepted


@pytest.mark.parametrize("skew_ms", [-MAX_SKEW_MS - 1, MAX_SKEW_MS + 1])
def test_beyond_five_minutes(skew_ms: int) -> None:
    """A signature one ms outside of five minutes is stale, and the verdict tells by how much."""
    verdict = Verifier([SECRET], ORIGIN).verify(signed(NOW + skew_ms), NOW)

    assert verdict.reason is Reason.STALE
    assert verdict.skew_ms == skew_ms
    assert str(abs(skew_ms)) in verdict.detail


@pytest.mark.parametrize("position", [0, 1, 2])
def test_several_secrets(position: int) -> None:
    """While secrets are rotated any of the live ones signs."""
    secrets = ["old", "new", "newest"]
    sent = signed(secret=secrets[position])

    assert Verifier(secrets, ORIGIN).verify(sent, NOW).accepted
    del secrets[position]
    assert not Verifier(secrets, ORIGIN).verify(sent, NOW).accepted


@pytest.mark.parametrize("name", [b"x-hubspot-signature-v3", b"x-hubspot-request-timestamp"])
def test_names_what_is_missing(name: bytes) -> None:
    """A verdict on absent headers names them."""
    whole = signed()
    sent = msgspec.structs.replace(
        whole, headers={key: value for key, value in whole.headers.items() if key != name}
    )

    verdict = Verifier([SECRET], ORIGIN).verify(sent, NOW)

    assert verdict.reason is Reason.MISSING
    assert verdict.detail == f"without {name.decode()}"


@pytest.mark.parametrize(
    "timestamp", [b"now", b"-1", b"1.5e12", b"1751276051500.0", b"9" * 16, "१७५१".encode()]
)
def test_malformed_timestamp(timestamp: bytes) -> None:
    """A timestamp that is not plain digits is refused for that."""
    whole = signed()
    sent = msgspec.structs.replace(
        whole, headers={**whole.headers, b"x-hubspot-request-timestamp": timestamp}
    )

    assert Verifier([SECRET], ORIGIN).verify(sent, NOW).reason is Reason.MALFORMED


def test_tells_a_wrong_url_from_a_wrong_secret() -> None:
    """The v1 signature that HubSpot sends along shows which of the two is to be put right."""
    right_v1 = hex_headers(sign_v1(SECRET.encode(), SDK_BODY), b"v1")
    wrong_v1 = hex_headers(sign_v1(b"another", SDK_BODY), b"v1")
    elsewhere = signed(uri=b"https://old.example.com/webhook_uri")
    verifier = Verifier([SECRET], ORIGIN)

    def reason(sent: Delivery, more: Mapping[bytes, bytes]) -> Reason:
        headers = {**sent.headers, **more}
        return verifier.verify(msgspec.structs.replace(sent, headers=headers), NOW).reason

    assert reason(elsewhere, right_v1) is Reason.WRONG_URL
    assert reason(signed(secret="another"), wrong_v1) is Reason.WRONG_SECRET
    assert reason(signed(secret="another"), {}) is Reason.MISMATCH


@pytest.mark.parametrize(
    ("secrets", "url", "versions"),
    [
        ([], ORIGIN, ["v3"]),
        ([""], ORIGIN, ["v3"]),
        (["good", ""], ORIGIN, ["v3"]),
        (["good"], "", ["v3"]),
        (["good"], ORIGIN, []),
        (["good"], ORIGIN, ["v3", "v4"]),
    ],
)
def test_nothing_to_verify_with(secrets: list[str], url: str, versions: list[str]) -> None:
    """Without a secret, a URL or a known version there is no verifier at all."""
    with pytest.raises(ValueError, match=r"secret|URL|versions"):
        Verifier(secrets, url, versions)


LISTED = ":/?@!$'()*,;"


def test_listed_escapes_are_decoded() -> None:
    """Exactly HubSpot's twelve escapes are decoded, in either case of their digits."""
    every = bytes(range(256))
    escaped = "".join(f"%{byte:02X}" for byte in every).encode()

    for given_ in (escaped, escaped.lower()):
        decoded = decode_listed(given_)
        kept = given_
        for character in LISTED:
            escape = f"%{ord(character):02X}"
            kept = kept.replace(escape.encode(), character.encode())
            kept = kept.replace(escape.lower().encode(), character.encode())
        assert decoded == kept
        assert decoded.count(b"%") == 256 - len(LISTED)


def test_decoded_once() -> None:
    """An escaped percent sign opens no second round."""
    assert decode_listed(b"%253A%25%3A") == b"%253A%25:"


@given(st.text())
def test_decoding_undoes_escaping(text: str) -> None:
    """Escaping the listed characters of a plain text and decoding it gives the text again."""
    plain = quote(text, safe="").encode()
    with_listed = quote(text, safe=LISTED).encode()

    assert decode_listed(plain) == with_listed
    assert decode_listed(with_listed) == with_listed


anything = st.binary(max_size=64)


@given(
    headers=st.dictionaries(
        st.sampled_from(
            [
                b"x-hubspot-signature-v3",
                b"x-hubspot-request-timestamp",
                b"x-hubspot-signature",
                b"x-hubspot-signature-version",
            ]
        ),
        anything | st.integers(NOW - 10, NOW + 10).map(lambda n: str(n).encode()),
    ),
    method=st.text(max_size=8),
    target=anything,
    body=anything,
)
def test_never_raises_nor_accepts_noise(
    headers: dict[bytes, bytes], method: str, target: bytes, body: bytes
) -> None:
    """Whatever comes gets a verdict with words to it, and what nobody signed is never accepted."""
    verdict = Verifier([SECRET], ORIGIN, ["v3", "v2", "v1"]).verify(
        Delivery(method, target, headers, body), NOW
    )

    assert not verdict.accepted
    assert verdict.detail
    assert SECRET not in verdict.detail


@given(
    secret=st.text(min_size=1).filter(lambda text: text.isprintable()),
    target=st.binary(max_size=40),
    body=anything,
    skew_ms=st.integers(-MAX_SKEW_MS, MAX_SKEW_MS),
    flip=st.integers(0, 10_000),
)
def test_every_byte_counts(
    secret: str, target: bytes, body: bytes, skew_ms: int, flip: int
) -> None:
    """What is signed by the rule is accepted; with one bit of the body changed it is not."""
    timestamp = str(NOW + skew_ms).encode()
    message = b"POST" + ORIGIN.encode() + decode_listed(target) + body + timestamp
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    headers = v3_headers(base64.b64encode(digest), NOW + skew_ms)
    verifier = Verifier(["another", secret], ORIGIN)

    assert verifier.verify(Delivery("POST", target, headers, body), NOW).accepted
    assert not verifier.verify(Delivery("PUT", target, headers, body), NOW).accepted
    assert not verifier.verify(Delivery("POST", target, headers, body + b" "), NOW).accepted
    if body:
        changed = bytearray(body)
        changed[flip % len(body)] ^= 1 << flip % 8
        sent = Delivery("POST", target, headers, bytes(changed))
        assert not verifier.verify(sent, NOW).accepted
