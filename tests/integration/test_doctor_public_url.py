"""What the doctor finds about PUBLIC_URL: each finding by what really answers there."""

import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from service.addresses import free_port
from service.doctor import public_url
from service.doctor.findings import Finding, Notes
from service.doctor.public_url import Reply, examine_public_url, judge_address, judge_signed
from tests.support.checkup import answer_of, answering, levels, short, todo
from tests.support.redis import keys_in
from tests.support.served import SECRET, Served, served

pytestmark = pytest.mark.one_redis

PROBLEM = "application/problem+json"


def settings_of(url: str, *secrets: str, **more: object) -> Settings:
    """Return settings with a public URL."""
    return Settings(
        public_url=url,
        hubspot_client_secret=tuple(map(Secret, secrets or (SECRET,))),
        **more,  # type: ignore[arg-type]
    )


async def examined(url: str, *secrets: str, **more: object) -> Sequence[Finding]:
    """Return the findings about a public URL."""
    return await examine_public_url(settings_of(url, *secrets, **more))


@pytest.fixture
async def service(redis: Redis, redis_url: str) -> AsyncIterator[Served]:
    """A service that knows where it is called."""
    del redis  # empties the server
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served(redis_url, port, PUBLIC_URL=url, HUBSPOT_CLIENT_SECRET=f"{SECRET},older") as s:
        yield s


def url_of(service: Served) -> str:
    """Return where a service is called."""
    return f"http://127.0.0.1:{service.port}"


async def test_a_service_takes_it(service: Served, redis: Redis) -> None:
    """A signed notification is taken, an unsigned one refused, and nothing is marked by either."""
    found = short(await examined(url_of(service), SECRET, "older"))
    assert found["signature 1 of 2"][0] == "ok"
    assert found["signature 2 of 2"][0] == "ok"
    assert found["forgery"] == ("ok", "a notification without a signature is refused")
    assert found["address"][0] == "warning"
    assert [key for key in await keys_in(redis) if b"ledger" in key or b"dead" in key] == []


@pytest.mark.parametrize("versions", [("v2",), ("v1",), ("v3", "v2", "v1")])
async def test_older_signatures(redis_url: str, versions: tuple[str, ...]) -> None:
    """The older signatures are sent beside the newest, as HubSpot does."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    more = {"PUBLIC_URL": url, "SIGNATURE_VERSIONS": ",".join(versions)}
    with served(redis_url, port, **more):
        assert levels(await examined(url, signature_versions=versions))["signature"] == "ok"


async def test_another_secret(service: Served) -> None:
    """A service with another secret refuses it, and what to compare is said without it."""
    found = await examined(url_of(service), "an0ther-s3cret")
    level, said = short(found)["signature"]
    assert level == "problem"
    assert said.endswith("401, the signature does not match")
    assert "HUBSPOT_CLIENT_SECRET and PUBLIC_URL" in todo(found, "signature")
    assert "an0ther" not in str(found)


async def test_another_url(redis_url: str) -> None:
    """A service that takes itself for another address refuses it alike."""
    with served(redis_url, PUBLIC_URL="https://calls.example.com") as service:
        found = short(await examined(url_of(service)))
    assert found["signature"][1].endswith("401, the signature does not match")


async def test_a_service_with_a_small_limit(redis_url: str) -> None:
    """A limit on bodies that even this one exceeds is named."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served(redis_url, port, PUBLIC_URL=url, MAX_BODY="64"):
        found = await examined(url)
    assert "413" in short(found)["signature"][1]
    assert "MAX_BODY" in todo(found, "signature")


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (answer_of(200, "welcome"), "200, not the 204", "what answers there"),
        (
            answer_of(301, Location="https://user:pw@www.example.com/webhooks/hubspot?token=t"),
            "301, a redirect to https://www.example.com/webhooks/hubspot,",
            "set PUBLIC_URL to where it leads",
        ),
        (answer_of(404, "not here"), "404, nothing there takes it", "hand the path on"),
        (answer_of(405), "405, nothing there takes it", "hand the path on"),
        (answer_of(401, "log in"), "401, something in front", "let HubSpot through"),
        (answer_of(403), "403, something in front", "let HubSpot through"),
        (answer_of(413), "413, too long", "limit of the proxy"),
        (answer_of(502, "<html>"), "502, the proxy has no service", "callstream service runs"),
        (answer_of(503), "503, the proxy has no service", "callstream service runs"),
        (answer_of(500), "500, an error", "look at the logs"),
        (
            answer_of(503, '{"detail":"not taken: redis-full"}', Content_Type=PROBLEM),
            "503, not taken: redis-full",
            "see to Redis",
        ),
        (
            answer_of(401, '{"detail":"without x-hubspot-signature-v3"}', Content_Type=PROBLEM),
            "401, without x-hubspot-signature-v3",
            "hand on all headers",
        ),
        (
            answer_of(401, '{"detail":"the request timestamp is old"}', Content_Type=PROBLEM),
            "401, the request timestamp is old",
            "set the clocks",
        ),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP is spoken", "what listens there"),
        (b"", "the connection was cut", "what listens there"),
    ],
)
async def test_somebody_else_answers(answer: bytes, said: str, hint: str) -> None:
    """Whatever answers instead of the service is told by its status, with what to do about it."""
    async with answering(answer) as port:
        found = await examined(f"http://127.0.0.1:{port}")
    assert short(found)["signature"][0] == "problem"
    assert said in short(found)["signature"][1]
    assert hint in todo(found, "signature")
    assert "pw" not in str(found)


async def test_anything_is_taken() -> None:
    """What takes a notification without a signature as well is not Callstream."""
    async with answering(answer_of(204)) as port:
        found = levels(await examined(f"http://127.0.0.1:{port}"))
    assert (found["signature"], found["forgery"]) == ("ok", "problem")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "no connection: Connect"),
        ("https://nowhere.invalid", "the host name has no address"),
    ],
)
async def test_nobody_answers(url: str, said: str) -> None:
    """Without an answer it is said how far the request came."""
    found = short(await examined(url))
    assert said in found["signature"][1]
    assert "forgery" not in found


async def test_too_slow_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer after HubSpot's deadline is none; a slow one is a warning."""
    monkeypatch.setattr(public_url, "DEADLINE_S", 0.1)
    async with answering(answer_of(204), after_s=30) as port:
        found = short(await examined(f"http://127.0.0.1:{port}"))
    assert "no answer within" in found["signature"][1]
    notes = Notes("public url")
    judge_signed(Reply(204, 2_000), "signature", "https://calls.example.com", notes)
    assert levels(notes.findings) == {"signature": "warning"}


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """Return what a server needs to speak TLS with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    until = datetime.now(UTC) + timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=30))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)  # noqa: FBT003
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_of_nobody(tmp_path: Path) -> None:
    """A certificate that is not trusted is told with the reason."""
    async with answering(answer_of(204), tls=certificate(tmp_path)) as port:
        found = await examined(f"https://127.0.0.1:{port}")
    assert "the certificate is not trusted: self" in short(found)["signature"][1]
    assert "renew the certificate" in todo(found, "signature")


async def test_no_tls_behind_https() -> None:
    """A server without TLS behind an https address is told as such."""
    async with answering(answer_of(204)) as port:
        found = await examined(f"https://127.0.0.1:{port}")
    assert "no TLS is spoken there" in short(found)["signature"][1]


async def test_without_url_or_secret() -> None:
    """Without a URL or a secret nothing is sent."""
    for settings in (Settings(), Settings(public_url="http://127.0.0.1:1")):
        (finding,) = await examine_public_url(settings)
        assert finding.level == "warning"


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("https://calls.example.com", "ok"),
        ("http://calls.example.com", "warning"),
        ("https://10.0.0.7", "warning"),
        ("https://[::1]:8443", "warning"),
        ("http://localhost:8000", "warning"),
        ("https://hooks.internal", "warning"),
        ("https://8.8.8.8", "ok"),
    ],
)
def test_addresses(url: str, level: str) -> None:
    """An address that HubSpot cannot or will not call is a warning."""
    notes = Notes("public url")
    judge_address(url, notes)
    assert levels(notes.findings) == {"address": level}
