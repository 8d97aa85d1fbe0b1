"""For which URL a refused delivery was signed, as far as its headers tell."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.front_door.explaining import MOST_BYTES, MOST_URLS, came_to, shown, signed_url
from service.front_door.signature import (
    SIGNATURE,
    SIGNATURE_V3,
    SIGNATURE_VERSION,
    TIMESTAMP,
    Delivery,
    Reason,
    Verdict,
    Verifier,
    sign_v1,
    sign_v2,
    sign_v3,
)

SECRET, NOW = "s3cret", 1_764_000_000_000
ORIGIN, TARGET, BODY = "https://calls.example.com", b"/webhooks/hubspot", b"[]"


def signed_for(
    url: str,
    headers: dict[str, str] | None = None,
    *,
    body: bytes = BODY,
    secret: str = SECRET,
) -> Delivery:
    """Return a delivery signed for a URL, with headers as a proxy sets them."""
    stamp = str(NOW).encode()
    signature = sign_v3(secret.encode(), b"POST", url.encode(), body, stamp)
    named = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    return Delivery("POST", TARGET, {SIGNATURE_V3: signature, TIMESTAMP: stamp, **named}, body)


def judged(delivery: Delivery, origin: str = ORIGIN) -> Verdict:
    """Return the verdict on a delivery, whose URL is another one."""
    verdict = Verifier([SECRET], origin).verify(delivery, NOW)
    assert not verdict.accepted
    return verdict


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("https://hooks.example.org/webhooks/hubspot", {"host": "hooks.example.org"}),
        ("http://calls.example.com/webhooks/hubspot", {"host": "calls.example.com"}),
        (
            "https://hooks.example.org:8443/webhooks/hubspot",
            {"host": "10.0.0.7:8000", "x-forwarded-host": "hooks.example.org:8443, inner"},
        ),
        (
            "https://calls.example.com/in/webhooks/hubspot",
            {"host": "calls.example.com", "x-forwarded-prefix": "/in"},
        ),
        (
            "https://calls.example.com/hubspot-calls",
            {"host": "calls.example.com", "x-original-uri": "/hubspot-calls"},
        ),
    ],
)
def test_both_urls_are_named(url: str, headers: dict[str, str]) -> None:
    """The URL that HubSpot signs and the one that PUBLIC_URL makes stand side by side."""
    verdict = judged(signed_for(url, headers))
    assert verdict.reason is Reason.WRONG_URL
    assert (verdict.signed_url, verdict.checked_url) == (url, f"{ORIGIN}/webhooks/hubspot")
    assert url in verdict.detail
    assert f"{ORIGIN}/webhooks/hubspot" in verdict.detail


def test_an_explanation_lifts_nothing() -> None:
    """A delivery that is signed for the URL that its own headers name stays refused."""
    verdict = judged(
        signed_for("https://evil.example/webhooks/hubspot", headers={"host": "evil.example"})
    )
    assert verdict.reason is Reason.WRONG_URL


def test_without_a_word_of_the_right_url() -> None:
    """Where nothing names the signed URL, v1 tells the secret from the URL; both places stand."""
    delivery = signed_for("https://elsewhere.example/x", headers={"host": "10.0.0.7"})
    told = {**delivery.headers, SIGNATURE_VERSION: b"v1"}
    right = {**told, SIGNATURE: sign_v1(SECRET.encode(), BODY)}
    verdict = judged(Delivery("POST", TARGET, right, BODY))
    assert (verdict.reason, verdict.signed_url) == (Reason.WRONG_URL, None)
    assert "https://calls.example.com/webhooks/hubspot" in verdict.detail
    assert "10.0.0.7/webhooks/hubspot" in verdict.detail
    wrong = {**told, SIGNATURE: sign_v1(b"another", BODY)}
    verdict = judged(Delivery("POST", TARGET, wrong, BODY))
    assert verdict.reason is Reason.WRONG_SECRET
    assert "HUBSPOT_CLIENT_SECRET" in verdict.detail


def test_another_secret_is_not_taken_for_another_url() -> None:
    """A delivery of another app's explains itself by no URL."""
    url = "https://hooks.example.org/webhooks/hubspot"
    verdict = judged(signed_for(url, secret="other", headers={"host": "hooks.example.org"}))
    assert (verdict.reason, verdict.signed_url) == (Reason.MISMATCH, None)


def test_v2_is_explained_as_well() -> None:
    """The older signature that covers the URL is explained the same way."""
    url = b"https://hooks.example.org/webhooks/hubspot"
    headers = {
        SIGNATURE: sign_v2(SECRET.encode(), b"POST", url, BODY),
        SIGNATURE_VERSION: b"v2",
        b"host": b"hooks.example.org",
    }
    verdict = Verifier([SECRET], ORIGIN, ["v2"]).verify(Delivery("POST", TARGET, headers, BODY), 0)
    assert (verdict.reason, verdict.signed_url) == (Reason.WRONG_URL, url.decode())


def test_stale_clocks_tell_the_skew() -> None:
    """A timestamp that is too far away is refused with how far it is, either way."""
    delivery = signed_for(f"{ORIGIN}/webhooks/hubspot")
    for skew_ms, word in ((360_000, "behind"), (-360_000, "ahead of")):
        verdict = Verifier([SECRET], ORIGIN).verify(delivery, NOW + skew_ms)
        assert (verdict.reason, verdict.skew_ms) == (Reason.STALE, -skew_ms)
        assert f"360000 ms {word} our clock" in verdict.detail


def test_what_is_shown_hides_queries_and_control() -> None:
    """A URL in a log has no query, no control characters, and an end."""
    assert shown(b"https://a.example/x?token=secret") == "https://a.example/x?..."
    assert shown(b"/a\r\nb\xff") == "/a..b."
    assert len(shown(b"/" * 5_000)) == 300
    assert came_to({b"host": b"evil\nhost"}, b"/x?y=1") == "/x?..."


def test_long_bodies_are_not_hashed_again() -> None:
    """Beyond a bound no URL is tried: nobody makes us hash for him."""
    url = "https://hooks.example.org/webhooks/hubspot"
    body = b"x" * (MOST_BYTES + 1)
    assert (
        judged(signed_for(url, body=body, headers={"host": "hooks.example.org"})).signed_url is None
    )


@given(
    st.dictionaries(
        st.sampled_from([b"host", b"x-forwarded-host", b"x-original-uri", b"x-forwarded-prefix"]),
        st.binary(max_size=60),
    ),
    st.binary(max_size=60),
)
def test_headers_of_any_form(headers: dict[bytes, bytes], target: bytes) -> None:
    """Whatever a stranger sends, few URLs are tried, and what is shown can be printed."""
    tried: list[bytes] = []

    def signs(url: bytes) -> bool:
        tried.append(hashlib.sha256(url).digest())
        return False

    assert signed_url(headers, target, 2, signs) is None
    assert len(tried) <= MOST_URLS
    assert came_to(headers, target).isprintable()


def test_a_crowd_of_headers_is_not_followed() -> None:
    """However many places the headers name, few URLs are tried."""
    headers = {
        **dict.fromkeys([b"host", b"x-forwarded-host", b"x-original-host"], b"a.example"),
        b"x-forwarded-host": b"b.example",
        b"x-original-host": b"c.example",
        **{
            name: b"/" + name for name in (b"x-original-uri", b"x-forwarded-uri", b"x-original-url")
        },
    }
    tried: list[bytes] = []

    def signs(url: bytes) -> bool:
        tried.append(url)
        return False

    assert signed_url(headers, TARGET, 2, signs) is None
    assert len(tried) == MOST_URLS
    assert len(set(tried)) == MOST_URLS
