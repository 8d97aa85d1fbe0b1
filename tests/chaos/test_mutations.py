"""The mutations of the campaign fit the code that they are to break."""

import pytest

from tests.chaos.campaign import every_window
from tests.chaos.mutation import Mutation
from tests.chaos.mutations import MUTATIONS
from tests.simulator.process import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_mutation_fits_the_code(mutation: Mutation) -> None:
    """Every text that a mutation replaces is there once, and its windows exist."""
    texts = [(patch, (ROOT / patch.file).read_text()) for patch in mutation.patches]
    assert [patch.file for patch, text in texts if text.count(patch.before) != 1] == []
    assert mutation.windows
    assert set(mutation.windows) <= every_window().keys()
