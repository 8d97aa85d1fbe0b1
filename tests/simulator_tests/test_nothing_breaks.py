"""No request, however malformed, is answered with a server error."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulator.api import ROUTES
from tests.simulator.model.calls import CALL_TYPE
from tests.simulator.simulator import Simulator
from tests.simulator_tests.api import Api

WORDS = (
    *("inputs", "id", "properties", "propertiesWithHistory", "idProperty", "associations", "to"),
    *("types", "from", "associationTypeId", "filterGroups", "filters", "propertyName", "operator"),
    *("value", "values", "highValue", "sorts", "query", "limit", "after", "name", "label", "type"),
    *("hs_timestamp", "hs_call_title", "hs_object_id", "subscriptionType", "portalId", "actions"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["EQ", "GT", "BETWEEN", "IN", "OBJECT", "CREATE", "calls", "1e400", "-1"])
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)
PARAMETERS = {
    "version": ["v3", "2026-03", "2026-09", "v4", "nonsense"],
    "kind": ["calls", CALL_TYPE, "contacts", "unicorns"],
    "to_kind": ["contacts", "calls", "0-2", "unicorns"],
    "count": ["1", "0", "x", "99999999999999999999"],
}
UNWATCHED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
QUERIES = ("", "?limit=x&after=%00", "?properties=a,,b&associations=contacts&archived=true")


def some_path(path: str, call_id: str, rng: random.Random) -> str:
    """Return a path with something in each of its variable places."""
    parts: list[str] = []
    for part in path.split("/"):
        name = part.strip("{}").partition(":")[0]
        choices = PARAMETERS.get(name, [call_id, "7", "x%2Fy", "\u0661", str(2**70)])
        parts.append(rng.choice(choices) if part.startswith("{") else part)
    return "/".join(parts) + rng.choice(QUERIES)


async def test_no_request_breaks_it(api: Api, simulator: Simulator) -> None:
    """Random paths, queries and bodies on every route are answered below 500."""
    account = simulator.world.accounts[simulator.settings.portal_id]
    call_id = str(account.create({"hs_call_title": "x"}).id)
    routes = [(method, path) for r in ROUTES for method in r.http_methods for path in r.paths]
    examples: list[object] = []

    @settings(max_examples=40, database=None, suppress_health_check=UNWATCHED)
    @given(body=BODIES)
    def collect(body: object) -> None:
        examples.append(body)

    collect()
    rng = random.Random(11)
    for method, path in routes:
        for body in rng.sample(examples, 20):
            got = await api.ask(method, some_path(path, call_id, rng), body)
            assert got.status < 500, (method, got.path, body, got.raw)
