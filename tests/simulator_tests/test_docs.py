"""The documentation names everything that can be turned, broken and asked for."""

from typing import get_args

import msgspec
import pytest

from tests.simulator.__main__ import arguments
from tests.simulator.api.control import control_router
from tests.simulator.knobs import Knobs
from tests.simulator.process import ROOT
from tests.simulator.simulator import Simulator
from tests.simulator.switchboard import Effect

PAGE = (ROOT / "docs" / "simulator.md").read_text()


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(Knobs)])
def test_every_knob_is_documented(name: str) -> None:
    """Each knob is in the table."""
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("effect", get_args(Effect))
def test_every_fault_is_documented(effect: str) -> None:
    """Each effect is in the table."""
    assert f"`{effect}`" in PAGE


def test_every_control_route_is_documented(simulator: Simulator) -> None:
    """Each path of the control API is in the table."""
    paths = {route.path for route in control_router(simulator).routes}
    assert len(paths) > 15
    for path in paths:
        known = path.removeprefix("/_control").replace("{portal_id:int}", "{portal}")
        known = known.replace("{fault_id:int}", "{id}")
        assert f"{known}`" in PAGE or f"{known}?" in PAGE, path


def test_every_option_is_documented() -> None:
    """Each command line option is in the table."""
    options = [action.option_strings[0] for action in arguments()._actions[1:]]  # noqa: SLF001 - argparse shows them nowhere else
    assert [option for option in options if f"`{option}" not in PAGE] == []
