"""The rules keep every promise in all interleavings, and no rule can be spared."""

import pytest

from tests.model.explorer import Counterexample, Explored, explore
from tests.model.histories import histories, history
from tests.model.rules import ALL
from tests.model.variants import VARIANTS, Variant
from tests.model.world import Scenario


def _keeps_all_promises(scenario: Scenario) -> None:
    result = explore(scenario)
    assert isinstance(result, Explored), result


@pytest.mark.parametrize("lossy", [False, True])
def test_two_readers(*, lossy: bool) -> None:
    """Two readers keep every promise over every history of up to four states."""
    for changes in range(4):
        for word in histories(changes, "pbar"):
            _keeps_all_promises(Scenario(history(word), unasked=2, lossy=lossy))


@pytest.mark.parametrize("word", ["pbpb", "arar", "pabr", "xpxa", "pvpa"])
def test_five_states(word: str) -> None:
    """Two readers keep every promise over histories of five states, also if the last is lost."""
    _keeps_all_promises(Scenario(history(word)))
    _keeps_all_promises(Scenario(history(word), lossy=True))


@pytest.mark.parametrize("word", ["pb", "pa", "ar", "xx", "pv", "pbp"])
def test_three_readers(word: str) -> None:
    """Three readers keep every promise, also if the last notification is lost."""
    _keeps_all_promises(Scenario(history(word), readers=3))
    _keeps_all_promises(Scenario(history(word), readers=3, lossy=True))


@pytest.mark.parametrize("word", ["", "p", "a", "pb", "pa", "ap", "px"])
def test_lagging_replicas(word: str) -> None:
    """Replicas that lag up to a minute take nothing back."""
    _keeps_all_promises(Scenario(history(word), lag=True))


@pytest.mark.parametrize("word", ["e", "pe", "ae", "xe", "pae"])
@pytest.mark.parametrize("lossy", [False, True])
def test_privacy_deletions(word: str, *, lossy: bool) -> None:
    """Once a call's privacy deletion was read nothing of it is published, known before or not."""
    _keeps_all_promises(Scenario(history(word), unasked=2, lossy=lossy))
    _keeps_all_promises(Scenario(history(word), lossy=lossy, readers=3))


@pytest.mark.parametrize("word", ["e", "pe", "xe"])
def test_privacy_deletions_from_lagging_replicas(word: str) -> None:
    """A replica that still shows the call brings it back neither at once nor by insisting."""
    _keeps_all_promises(Scenario(history(word), lag=True, unasked=3))


@pytest.mark.parametrize("word", ["p", "pb", "ar", "pv", "xp"])
def test_clock_lost(word: str) -> None:
    """The sequence increases even when the clock is lost and the server's time has gone back."""
    _keeps_all_promises(Scenario(history(word), forgetful=True, unasked=2))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_no_rule_can_be_spared(variant: Variant) -> None:
    """Without any one rule there is a run that breaks a promise; with it there is none."""
    without = explore(variant.scenario, ALL._replace(**{variant.name: False}))
    assert isinstance(without, Counterexample)
    assert without.what == variant.breaks
    assert isinstance(explore(variant.scenario), Explored)
