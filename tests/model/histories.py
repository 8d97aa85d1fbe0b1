"""The histories that are explored, written as one letter per change."""

from itertools import product

from tests.model.world import History, Properties

CHANGES = {
    "p": "a property gets a value that it never had",
    "b": "a property gets the value back that it had before",
    "x": "the call is archived, or restored",
    "v": "HubSpot goes back to what it had before, its `updatedAt` too",
    "a": "an association that there never was is added",
    "r": "the associations are again what they were before",
    "e": "the call is deleted for privacy, for good",
}

_ORIGINS = {"b": "p", "v": "px", "r": "a"}
"""What must have changed for a change that goes back."""


def history(changes: str) -> History:
    """Return the history that these changes, in this order, make."""
    properties, associations = [Properties("p0", archived=False, updated_at=1)], ["a0"]
    moments = [(0, 0)]
    for number, change in enumerate(changes, start=1):
        last = properties[-1]
        before = properties[-2] if len(properties) > 1 else last
        match change:
            case "p":
                properties.append(Properties(f"p{number}", last.archived, number + 1))
            case "b":
                properties.append(Properties(before.value, last.archived, number + 1))
            case "x":
                properties.append(Properties(last.value, not last.archived, number + 1))
            case "v":
                properties.append(before)
            case "e":
                properties.append(Properties("", archived=True, updated_at=0, erased=True))
            case "a":
                associations.append(f"a{number}")
            case _:
                associations.append(associations[-2] if len(associations) > 1 else "none")
        moments.append((len(properties) - 1, len(associations) - 1))
    return History(tuple(properties), tuple(associations), tuple(moments))


def histories(changes: int, letters: str) -> list[str]:
    """Return the histories of so many changes out of these letters, each once.

    Nothing is gained from going back to what was before while there was nothing before.
    """
    words = ("".join(word) for word in product(letters, repeat=changes))
    return [word for word in words if _goes_back_to_something(word)]


def _goes_back_to_something(word: str) -> bool:
    return all(
        any(earlier in origins for earlier in word[:place])
        for place, change in enumerate(word)
        if (origins := _ORIGINS.get(change))
    )
