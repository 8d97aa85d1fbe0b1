"""Which calls a contact, company, deal or ticket is associated with."""

from collections.abc import Mapping

from tests.simulator.model.account import Account
from tests.simulator.model.calls import Call, Change
from tests.simulator.model.kinds import FROM_CALL, TO_CALL

_TOWARDS = {FROM_CALL[kind]: TO_CALL[kind] for kind in FROM_CALL}

Links = Mapping[int, tuple[int, ...]]
"""Association type ids by the other side's id."""


class Reverse:
    """The other direction of all associations, built on its first use."""

    def __init__(self, account: Account) -> None:
        self._calls: dict[tuple[str, int], set[int]] = {}
        self._account = account
        for call in account.calls.values():
            for link in call.every_link():
                self._calls.setdefault((link.to_type, link.to_id), set()).add(call.id)
        account.listeners.append(self._hear)

    def _hear(self, _account: Account, change: Change) -> None:
        if change.kind == "associated" and change.link:
            key = change.link.to_type, change.link.to_id
            self._calls.setdefault(key, set()).add(change.call_id)

    def links(self, kind: str, target: int) -> Links:
        """Return the calls of a record, with the association types as seen from it."""
        links: dict[int, tuple[int, ...]] = {}
        for call_id in self._calls.get((kind, target), ()):
            types = self._types(self._account.calls[call_id], kind, target)
            if types:
                links[call_id] = types
        return links

    @staticmethod
    def _types(call: Call, kind: str, target: int) -> tuple[int, ...]:
        types = call.links.get(kind, {}).get(target, ())
        return tuple(_TOWARDS.get(type_id, type_id) for type_id in types)
