"""All windows, and the runs of a campaign."""

import importlib
import pkgutil
from collections.abc import Sequence

from tests.chaos import windows
from tests.chaos.window import Window


def every_window() -> dict[str, Window]:
    """Return all windows by name, in the order of their modules.

    Raises:
        ValueError: two have one name.
    """
    found: dict[str, Window] = {}
    for module in pkgutil.iter_modules(windows.__path__):
        held: Sequence[Window] = importlib.import_module(
            f"{windows.__name__}.{module.name}"
        ).WINDOWS
        for window in held:
            if window.name in found:
                msg = f"two windows are called {window.name}"
                raise ValueError(msg)
            found[window.name] = window
    return found


def chosen(names: Sequence[str]) -> list[Window]:
    """Return the windows of these names, or that begin with them; all without any.

    Raises:
        ValueError: a name fits none.
    """
    windows_by_name = every_window()
    if not names:
        return [*windows_by_name.values()]
    picked: list[Window] = []
    for name in names:
        fits = [window for known, window in windows_by_name.items() if known.startswith(name)]
        if name in windows_by_name:
            fits = [windows_by_name[name]]
        if not fits:
            msg = f"no window is called {name}; there are {', '.join(windows_by_name)}"
            raise ValueError(msg)
        picked += fits
    return picked
