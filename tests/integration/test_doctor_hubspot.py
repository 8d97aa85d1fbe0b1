"""What the doctor finds about the account, the clocks and the subscriptions, at the stand-in."""

import itertools
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from redis.asyncio import Redis

from jobs.config.settings import Settings
from jobs.config.values import Secret
from jobs.hubspot.limits import RateHeaders
from jobs.hubspot.transport import Transport
from jobs.ledger.ledger import Ledger
from jobs.ledger.messages import Mark
from jobs.timing import Timing
from service.doctor.clocks import compare, examine_clocks, judge_redis
from service.doctor.findings import Finding, Notes
from service.doctor.hubspot import examine_hubspot, judge_limits
from service.inquiry import open_transport
from tests.simulator.control import Control
from tests.simulator.messages import AccountState
from tests.simulator.process import Running
from tests.simulator.switchboard import Fault
from tests.support.checkup import Short, answer_of, answering, levels, short, todo

pytestmark = pytest.mark.one_redis

_portals = itertools.count(650_000)


class Patient:
    """An account, settings that name it, and what the doctor says."""

    def __init__(self, account: AccountState, simulator: Running, transport: Transport) -> None:
        self.portal_id = account.portal_id
        self.settings = Settings(
            hubspot_access_token=Secret(account.token), hubspot_api_url=simulator.url
        )
        self.transport = transport

    async def examined(self, **settings: object) -> Sequence[Finding]:
        """Return the findings about the account, under further settings."""
        changed = msgspec.structs.replace(self.settings, **settings)
        return await examine_hubspot(changed, self.transport, None)


@pytest.fixture
async def patient(control: Control, simulator: Running) -> AsyncIterator[Patient]:
    """A new account."""
    account = await control.open_account(next(_portals))
    async with open_transport(Settings(hubspot_api_url=simulator.url)) as transport:
        yield Patient(account, simulator, transport)


async def test_a_good_account(patient: Patient, control: Control) -> None:
    """A token that may read all that is wanted of its account is well in every respect."""
    await control.create({"hs_call_title": "Hi"}, {"contacts": [1]}, portal_id=patient.portal_id)
    found = short(await patient.examined(hubspot_portal_id=patient.portal_id))
    assert {level for level, _ in found.values()} == {"ok"}
    assert f"account {patient.portal_id}" in found["account"][1]
    assert found["scopes"][1] == "calls can be read, with their contacts, companies, deals, tickets"
    assert "left today" in found["limits"][1]


async def test_a_refused_token(patient: Patient) -> None:
    """A token that HubSpot refuses is the one finding, without the token."""
    (finding,) = await patient.examined(hubspot_access_token=Secret("pat-na1-revoked"))
    assert (finding.check, finding.level) == ("token", "problem")
    assert finding.said.startswith("unauthorised (status 401")
    assert "revoked" not in str(finding)
    assert "HUBSPOT_ACCESS_TOKEN" in finding.todo


async def test_no_token(patient: Patient) -> None:
    """Without a token there is nothing to examine, which is said."""
    (finding,) = await patient.examined(hubspot_access_token=None)
    assert (finding.check, finding.level) == ("token", "warning")


async def test_another_account(patient: Patient) -> None:
    """A token of another account than the settings name is told with both."""
    found = await patient.examined(hubspot_portal_id=7)
    assert short(found)["account"] == (
        "problem",
        f"the token belongs to account {patient.portal_id}, not to 7",
    )
    assert f"HUBSPOT_PORTAL_ID={patient.portal_id}" in todo(found, "account")


@pytest.mark.parametrize(
    ("operation", "check", "said"),
    [
        ("calls.list", "scopes", "the token may not read calls"),
        (
            "associations.batch_read",
            "scopes deals",
            "the token may not read associations with deals",
        ),
    ],
)
async def test_missing_scopes(
    patient: Patient, control: Control, operation: str, check: str, said: str
) -> None:
    """What the token may not read is named with the scope that it needs, and those it has."""
    await control.fault(
        Fault(effect="status", status=403, operation=operation, portal_id=patient.portal_id)
    )
    found = await patient.examined(call_associations=("deals",))
    assert short(found)[check][0] == "problem"
    assert short(found)[check][1].startswith(said)
    assert "crm.objects.contacts.read" in short(found)[check][1]
    assert "to the app's scopes" in todo(found, check)


async def test_an_unknown_kind(patient: Patient) -> None:
    """A kind of associations that HubSpot does not know is a matter of spelling."""
    found = await patient.examined(call_associations=("contacts", "deels"))
    assert short(found)["scopes deels"][0] == "problem"
    assert todo(found, "scopes deels") == "check how deels is spelt in CALL_ASSOCIATIONS"


async def test_no_associations(patient: Patient) -> None:
    """Without associations calls alone are read."""
    found = short(await patient.examined(call_associations=()))
    assert found["scopes"] == ("ok", "calls can be read")


async def test_properties(patient: Patient, control: Control) -> None:
    """Names that the account does not define are told; `*` is what it defines."""
    found = await patient.examined(call_properties=("hs_call_title", "hs_cal_body"))
    assert short(found)["properties"][0] == "warning"
    assert "hs_cal_body" in short(found)["properties"][1]
    found = await patient.examined(call_properties=("*",))
    assert short(found)["properties"] == ("ok", "all 74 of the account")
    await control.fault(
        Fault(effect="status", status=403, operation="properties.list", portal_id=patient.portal_id)
    )
    assert levels(await patient.examined(call_properties=("*",)))["properties"] == "problem"
    assert levels(await patient.examined())["properties"] == "warning"


async def test_a_question_that_hangs(patient: Patient, control: Control) -> None:
    """One question that is never answered costs its own finding, and no other."""
    for operation in ("properties.list", "oauth.private_app"):
        await control.fault(Fault(effect="hang", operation=operation))
    quick = msgspec.structs.replace(patient.settings, timing_scale=0.05)
    async with open_transport(quick) as transport:
        found = short(await examine_hubspot(quick, transport, None))
    assert found["properties"] == ("warning", "the account's cannot be listed: timeout")
    assert (found["account"][0], found["scopes"][0]) == ("ok", "ok")


async def test_the_days_limit(patient: Patient, control: Control) -> None:
    """A day's limit that is nearly spent is a warning."""
    knobs = await control.turn()
    for _ in range(2):
        await patient.examined()
    await control.turn(daily_limit=(await _asked(patient, control)) + 3)
    found = await patient.examined(call_associations=())
    await control.turn(daily_limit=knobs.daily_limit)
    assert short(found)["limits"][0] == "warning"
    assert "share the day's limit" in todo(found, "limits")


async def _asked(patient: Patient, control: Control) -> int:
    """Return how many requests the account has answered."""
    return sum((await control.requests()).accounts[patient.portal_id].by_operation.values())


def test_limits_that_are_not_told() -> None:
    """Without headers nothing is said about limits."""
    notes = Notes("hubspot")
    judge_limits(RateHeaders(), notes)
    assert notes.findings == []


@pytest.mark.parametrize(
    ("url", "hint"),
    [("http://127.0.0.1:1", "DNS, firewall and proxy"), ("here", "HUBSPOT_API_VERSION")],
)
async def test_an_api_that_is_not_there(
    patient: Patient, simulator: Running, url: str, hint: str
) -> None:
    """Without HubSpot's API, or with a wrong address of it, that is the one finding."""
    url = f"{simulator.url}/elsewhere" if url == "here" else url
    async with open_transport(Settings(hubspot_api_url=url)) as transport:
        (finding,) = await examine_hubspot(patient.settings, transport, None)
    assert finding.level == "problem"
    assert hint in finding.todo


async def test_notifications_of_another_account(
    patient: Patient, redis: Redis, redis_url: str
) -> None:
    """Notifications from an account that the token is not of are told with both."""
    ledger = Ledger(redis, "", Timing())
    assert levels(await patient.examined(redis_url=redis_url))["notifications"] == "ok"
    await ledger.mark([Mark(patient.portal_id, "512", ())])
    found = short(await patient.examined(redis_url=redis_url))
    assert found["notifications"][0] == "warning"
    await ledger.mark([Mark(7, "512", ())])
    found = short(await patient.examined(redis_url=redis_url))
    assert found["notifications"] == (
        "problem",
        f"notifications come from account 7, the token belongs to account {patient.portal_id}",
    )
    await redis.flushdb()


@pytest.mark.parametrize(
    ("move_ms", "expected"),
    [
        (0, ("ok", "agrees")),
        (60_000, ("warning", "s ahead of this machine's")),
        (-60_000, ("warning", "s behind this machine's")),
        (290_000, ("problem", "signatures are refused from 5 min on")),
    ],
)
async def test_clocks(
    patient: Patient, control: Control, redis_url: str, move_ms: int, expected: Short
) -> None:
    """HubSpot's clock is compared by its answers' date, Redis' by its time."""
    settings = msgspec.structs.replace(patient.settings, redis_url=redis_url)
    await control.clock(move_ms=move_ms)
    try:
        found = short(await examine_clocks(settings, patient.transport))
    finally:
        await control.clock(move_ms=-move_ms)
    level, said = expected
    assert found["HubSpot"][0] == level
    assert said in found["HubSpot"][1]
    assert found["Redis"] == ("ok", "agrees with this machine's")


async def test_clocks_that_cannot_be_asked() -> None:
    """What does not answer cannot be compared, which is said."""
    settings = Settings(redis_url="redis://127.0.0.1:1", hubspot_api_url="http://127.0.0.1:1")
    async with open_transport(settings) as transport:
        found = levels(await examine_clocks(settings, transport))
    assert found == {"HubSpot": "warning", "Redis": "warning"}


def test_a_comparison_is_as_sure_as_its_question_was_quick() -> None:
    """What may be the way there and back is not held against a clock."""
    assert compare(10_000, 9.0, 11.0, 1_000).least_ms == 0
    apart = compare(30_000, 9.0, 11.0, 1_000)
    assert (apart.ahead_ms, apart.unsure_ms, apart.least_ms) == (20_000, 1_500, 18_500)
    notes = Notes("clocks")
    judge_redis(compare(0, 60.0, 60.0, 1), notes)
    assert short(notes.findings)["Redis"] == ("warning", "60 s behind this machine's")


async def test_a_page_instead_of_an_answer(patient: Patient) -> None:
    """What answers HTML in HubSpot's place is told from HubSpot."""
    page = answer_of(200, "<html>", Content_Type="text/html")
    async with answering(page) as port:
        settings = Settings(hubspot_api_url=f"http://127.0.0.1:{port}")
        async with open_transport(settings) as transport:
            (finding,) = await examine_hubspot(patient.settings, transport, None)
    assert finding.said.startswith("undecodable")
    assert "no proxy answers for it" in finding.todo
