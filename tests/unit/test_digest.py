"""A digest differs exactly when HubSpot's raw values do."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from jobs.events import digest

Values = dict[str, str | None]
Links = dict[str, list[str]]

NAMES = st.text(max_size=3)
VALUES = st.dictionaries(NAMES, st.none() | st.text(max_size=4), max_size=4)
LINKS = st.dictionaries(NAMES, st.lists(st.text("0123456789", min_size=1, max_size=3), max_size=3))
STATES = st.tuples(VALUES, LINKS, st.booleans())


def of(properties: Values, links: Links, *, archived: bool = False) -> bytes:
    """Return the digest of a call all of whose properties are wanted."""
    return digest.of_call(properties, links, archived=archived, wanted=list(properties))


def canonical(properties: Values, links: Links, *, archived: bool) -> object:
    """Return what a digest is to depend on."""
    values = {
        name: value
        for name, value in properties.items()
        if value is not None and name != "hs_lastmodifieddate"
    }
    return values, {kind: set(ids) for kind, ids in links.items() if ids}, archived


@given(STATES, STATES)
def test_differs_as_the_state_does(
    one: tuple[Values, Links, bool], other: tuple[Values, Links, bool]
) -> None:
    """Two states have one digest if, and only if, their raw values are the same."""
    first, second = (of(values, links, archived=flag) for values, links, flag in (one, other))
    same = canonical(*one[:2], archived=one[2]) == canonical(*other[:2], archived=other[2])
    assert (first == second) is same


@given(VALUES, LINKS, st.randoms(use_true_random=False))
def test_order_is_nothing(properties: Values, links: Links, random: Random) -> None:
    """The order of names and of ids, and a repeated id, make no difference."""
    names = list(properties)
    random.shuffle(names)
    shuffled = {
        kind: random.sample(ids, len(ids)) + ids[:1] for kind, ids in reversed(links.items())
    }
    assert of({name: properties[name] for name in names}, shuffled) == of(properties, links)


@given(VALUES, NAMES)
def test_null_is_absent(properties: Values, name: str) -> None:
    """A property that is null counts as one that HubSpot did not send."""
    without = {key: value for key, value in properties.items() if key != name}
    assert of({**without, name: None}, {}) == of(without, {})


@given(VALUES, st.text(max_size=4))
def test_modification_time_is_nothing(properties: Values, value: str) -> None:
    """`hs_lastmodifieddate` moves with every write and says nothing of what was written."""
    assert of({**properties, "hs_lastmodifieddate": value}, {}) == of(
        {name: v for name, v in properties.items() if name != "hs_lastmodifieddate"}, {}
    )


def test_unwanted_is_nothing() -> None:
    """A property that is not wanted makes no difference, an empty one that is does."""
    title = {"hs_call_title": "Discovery Call"}
    wanted = ["hs_call_title", "hs_call_body"]

    def digest_of(properties: Values) -> bytes:
        return digest.of_call(properties, {}, archived=False, wanted=wanted)

    assert digest_of({**title, "hs_note": "x"}) == digest_of({**title})
    assert digest_of({**title, "hs_call_body": ""}) != digest_of({**title})


def test_boundaries_are_kept() -> None:
    """Text that moves from one place to the next makes another digest."""
    digests = {
        of({"ab": "c"}, {}),
        of({"a": "bc"}, {}),
        of({"a": "b", "c": ""}, {}),
        of({}, {"ab": ["c"]}),
        of({}, {"a": ["b", "c"]}),
        of({}, {"a": ["bc"]}),
        of({}, {"a": ["b"], "c": ["d"]}),
    }
    assert len(digests) == 7


def test_states_without_values() -> None:
    """Gone, merged into this or that call, and a call without any value are all different."""
    digests = {digest.GONE, digest.of_merged("1"), digest.of_merged("2"), of({}, {})}
    assert len(digests) == 4
    assert {len(each) for each in digests} == {digest.BYTES}


def test_encoding_is_kept() -> None:
    """The encoding does not change: Redis holds digests of every known call."""
    made = digest.of_call(
        {"hs_call_title": "Discovery Call", "hs_call_body": None, "hs_lastmodifieddate": "x"},
        {"contacts": ["101", "7"], "deals": []},
        archived=False,
        wanted=["hs_call_title", "hs_call_body", "hs_lastmodifieddate"],
    )
    assert made.hex() == "0a666be98835a20e"
    assert digest.GONE.hex() == "0db63d3519f84284"
    assert digest.of_merged("512").hex() == "5687ad6027123293"
