"""The kinds of value a setting may have."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config import values
from jobs.config.urls import redacted
from jobs.config.values import Kind, Secret

ALL_KINDS = [
    *(kind for kind in vars(values).values() if isinstance(kind, Kind)),
    values.whole(1, 100),
    values.fraction(0, 1),
    values.choice("none", "live", "all"),
    values.choices("v3", "v2", "v1"),
]
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()

GOOD = [
    (values.DURATION, "7d", 604_800),
    (values.DURATION, "24h", 86_400),
    (values.DURATION, "10m", 600),
    (values.DURATION, "30s", 30),
    (values.DURATION, "20", 20),
    (values.SIZE, "16MiB", 16_777_216),
    (values.SIZE, "4 GiB", 4_294_967_296),
    (values.SIZE, "512KiB", 524_288),
    (values.SIZE, "1048577", 1_048_577),
    (values.PORT, "0", 0),
    (values.PORT, "65535", 65_535),
    (values.PORTAL, "9223372036854775807", (1 << 63) - 1),
    (values.NAMESPACE, "eu-1.calls_A", "eu-1.calls_A"),
    (values.API_VERSION, "v3", "v3"),
    (values.API_VERSION, "2026-03", "2026-03"),
    (values.API_VERSION, "2026-09-beta", "2026-09-beta"),
    (values.NAMES, "contacts, deals,,contacts", ("contacts", "deals")),
    (values.NAMES, "hs_call_title,*", ("*",)),
    (values.NAMES, "", ()),
    (values.PORTALS, "*", "*"),
    (values.PORTALS, "62515, 7", (62_515, 7)),
    (values.ORIGIN, "https://calls.example.com/", "https://calls.example.com"),
    (values.ORIGIN, "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    (values.ORIGIN, "https://[::1]:8443", "https://[::1]:8443"),
    (values.WEB_URL, "https://api.hubapi.com/", "https://api.hubapi.com"),
    (values.REDIS_URL, "redis://:pw@cache:6379/2", "redis://:pw@cache:6379/2"),
    (values.REDIS_URL, "rediss://cache", "rediss://cache"),
    (values.REDIS_URL, "unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
    (values.REDIS_URL, "redis+sentinel://a:1,b:2/main/0", "redis+sentinel://a:1,b:2/main/0"),
    (values.STREAMS_URL, "redis+cluster://a:7000,b:7000", "redis+cluster://a:7000,b:7000"),
    (values.SECRET, "s3cret", Secret("s3cret")),
    (values.SECRETS, "new, old", (Secret("new"), Secret("old"))),
    (values.FERNET_KEYS, KEY, (Secret(KEY),)),
    (values.fraction(0, 1), "0", 0.0),
    (values.choice("none", "live"), "LIVE", "live"),
    (values.choices("v3", "v2", "v1"), "v2,V3", ("v2", "v3")),
]
BAD = [
    *((values.DURATION, text) for text in ("", "0", "-1s", "7w", "1.5h", "٣s", "7 d", "1d12h")),
    *((values.SIZE, text) for text in ("", "0", "16MB", "1e6", "-1", "MiB")),
    *((values.PORT, text) for text in ("", "65536", "-1", "80.0", "²", "0x50", "1_000")),
    *((values.PORTAL, text) for text in ("0", "9223372036854775808", "9" * 5_000)),
    *((values.NAMESPACE, text) for text in ("", "a:b", "a b", "{a}", "é", "x" * 65, "a\n")),
    *((values.API_VERSION, text) for text in ("", "v1", "2026-3", "latest", "2026-03/../v1")),
    *((values.NAMES, text) for text in ("two words", "a,b c")),
    *((values.PORTALS, text) for text in ("all", "1,x", "*,1", "0")),
    *(
        (values.ORIGIN, f"https://{rest}")
        for rest in ("", ":443", "a/path", "a?x=1", "a#x", "u:p@a", "a:x", "a:99999", "a b", "é.de")
    ),
    *((values.ORIGIN, text) for text in ("calls.example.com", "ftp://a", "//a", "https:/a")),
    *((values.WEB_URL, text) for text in ("api.hubapi.com", "https://u:p@a", "https://a?x=1")),
    *((values.REDIS_URL, text) for text in ("localhost:6379", "http://a", "redis://", "unix://")),
    *((values.REDIS_URL, text) for text in ("redis+cluster://a:1", "redis://a:x", "redis://a,b")),
    *((values.SECRET, text) for text in ("", "two words", "line\nbreak")),
    *((values.SECRETS, text) for text in ("", ",", "a,b c")),
    *((values.FERNET_KEYS, text) for text in ("", "short", KEY + "," + KEY[:-4], "é" * 44)),
    *((values.fraction(0, 1), text) for text in ("", "1", "-0.1", "nan", "inf", "ten")),
    *((values.choice("none", "live"), text) for text in ("", "some")),
    *((values.choices("v3", "v2"), text) for text in ("", ",", "v3,v4")),
]


@pytest.mark.parametrize(("kind", "text", "value"), GOOD)
def test_good_text_is_read(kind: Kind, text: str, value: object) -> None:
    """What a kind allows is read as documented."""
    assert kind.parse(text) == value


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_bad_text_is_refused(kind: Kind, text: str) -> None:
    """What a kind does not allow is a ValueError that says what was expected."""
    with pytest.raises(ValueError, match=r"\w"):
        kind.parse(text)


@given(kind=st.sampled_from(ALL_KINDS), text=st.text())
def test_any_text_is_read_or_refused(kind: Kind, text: str) -> None:
    """No text makes a kind fail in any other way than by ValueError."""
    with contextlib.suppress(ValueError):
        kind.parse(text)


@given(kind=st.sampled_from([values.DURATION, values.SIZE]), number=st.integers(1, 10**9 - 1))
def test_what_is_shown_is_read_again(kind: Kind, number: int) -> None:
    """A duration or size that is shown reads as the same number."""
    assert kind.parse(kind.show(number)) == number


@pytest.mark.parametrize(("kind", "text", "value"), GOOD)
def test_a_list_that_is_shown_is_read_again(kind: Kind, text: str, value: object) -> None:
    """Every value that is no secret reads again as itself when shown."""
    del text
    if not kind.secret:
        assert kind.parse(kind.show(value)) == value


@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=8).filter(str.strip))
def test_a_secret_does_not_show_itself(text: str) -> None:
    """Neither str, repr nor formatting of a secret holds its value."""
    secret = Secret(text)
    assert secret.reveal() == text
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r:>5}"} == {"Secret(***)"}


def test_secrets_compare_by_value() -> None:
    """Two secrets of one value are equal and hash alike; a string is never equal to one."""
    assert Secret("a") == Secret("a")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pw@cache:6379/2?password=pw", "redis://cache:6379/2"),
        ("redis+sentinel://:pw@a:1,b:2/main/0", "redis+sentinel://a:1,b:2/main/0"),
        ("unix:///run/redis.sock?password=pw", "unix:///run/redis.sock"),
        ("https://calls.example.com", "https://calls.example.com"),
        ("redis://[pw", "***"),
    ],
)
def test_a_redacted_url_names_the_place_only(url: str, shown: str) -> None:
    """User, password and query of a URL are not shown."""
    assert redacted(url) == shown
