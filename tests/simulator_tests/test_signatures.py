"""Signatures are those of HubSpot's own published examples."""

import pytest

from tests.simulator.signatures import sign_v1, sign_v2, sign_v3

SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
QUOTED = b"{'example_field':'example_value'}"
URI = "https://www.example.com/webhook_uri"


def test_version_1() -> None:
    """Hex SHA-256 of secret and body."""
    expected = "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"
    assert sign_v1(SECRET, QUOTED) == expected


@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("GET", b"", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        ("POST", QUOTED, "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"),
    ],
)
def test_version_2(method: str, body: bytes, expected: str) -> None:
    """Hex SHA-256 of secret, method, URI and body."""
    assert sign_v2(SECRET, method, URI, body) == expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1693657560000, "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        (1700000300000, "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
    ],
)
def test_version_3(timestamp: int, expected: str) -> None:
    """Base64 HMAC-SHA256 of method, URI, body and timestamp."""
    assert sign_v3(SECRET, "POST", URI, QUOTED, timestamp) == expected


def test_version_3_decodes_twelve_escapes_and_no_others() -> None:
    """`%2F` counts as a slash in either case of its digits, `%20` stays as it is."""
    plain = sign_v3(SECRET, "POST", "https://h/p?t=a/b&c=%20", b"", 1)
    assert sign_v3(SECRET, "POST", "https://h/p?t=a%2Fb&c=%20", b"", 1) == plain
    assert sign_v3(SECRET, "POST", "https://h/p?t=a%2fb&c=%20", b"", 1) == plain
    assert sign_v3(SECRET, "POST", "https://h/p?t=a/b&c= ", b"", 1) != plain
