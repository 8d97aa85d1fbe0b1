"""Judges the answers to batch reads: what each id that was asked for came to."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from jobs.hubspot.errors import PortalFailure, RecordRefused
from jobs.hubspot.faults import date_ms
from jobs.hubspot.reads import AssociationsRead, Begun, CallsRead
from jobs.hubspot.refusal import OBJECT_NOT_FOUND
from jobs.hubspot.schema import (
    AssociationBatch,
    Associations,
    CallBatch,
    ErrorBody,
    Undecodable,
    sorted_ids,
)
from jobs.hubspot.transport import Answer

BATCH: Final = 100
"""The most ids of one batch read, of calls and of associations (HubSpot's calls guide)."""
_COMPLETE: Final = frozenset({"COMPLETE", None})


def batch_of(ids: Iterable[str]) -> tuple[str, ...]:
    """Return each id once; raises ValueError unless that makes one to a hundred."""
    asked = tuple(dict.fromkeys(ids))
    if not 0 < len(asked) <= BATCH:
        msg = f"a batch read takes 1 to {BATCH} ids, not {len(asked)}"
        raise ValueError(msg)
    return asked


def judge_calls(asked: Sequence[str], batch: CallBatch, answer: Answer) -> CallsRead:
    """Return what each asked id came to.

    Raises:
        PortalFailure: HubSpot has not finished the batch.
        RecordRefused: an error names no ids, so that any of them may be meant.
    """
    if batch.status not in _COMPLETE:
        raise PortalFailure(kind="server", detail="the batch is not complete", status=answer.status)
    calls = {call.id: call for call in batch.calls}
    missing = batch.missing.intersection(asked)
    refused = _refused(batch.errors, answer.status)
    aside = {record.call_id for record in batch.undecodable}
    placed = calls.keys() | missing | refused.keys() | aside
    return CallsRead(
        calls=calls,
        missing=missing,
        refused=refused,
        undecodable=batch.undecodable,
        unanswered=tuple(call_id for call_id in asked if call_id not in placed),
        date_ms=date_ms(answer.headers),
        elapsed_ms=answer.elapsed_ms,
    )


_NONE: Final[Mapping[str, Begun]] = MappingProxyType({})


class Gathering:
    """The associations of some calls, as they come in page by page."""

    def __init__(self, asked: Sequence[str], begun: Mapping[str, Begun] = _NONE) -> None:
        """Gather those of the `asked` calls, and go on where they were `begun` before."""
        self._found: dict[str, list[str]] = {
            call_id: [*begun[call_id].ids] if call_id in begun else [] for call_id in asked
        }
        self._undecodable: list[Undecodable] = []
        self._followed: set[tuple[str, str]] = set()
        self.cursors: dict[str, str | None] = {
            call_id: begun[call_id].after if call_id in begun else None
            for call_id in asked
            if call_id not in begun or begun[call_id].after is not None
        }
        """What to ask for next: call -> its cursor, None for its first page."""
        self.requests = 0

    def add(self, batch: AssociationBatch, status: int) -> None:
        """Take the answer to what `cursors` asked for.

        Raises:
            PortalFailure: a call's paging goes round in a circle.
            RecordRefused: an error names no ids, or another reason than that nothing was found.
        """
        self.requests += 1
        refused = _refused(batch.errors, status)
        if refused:
            raise RecordRefused(status, category=next(iter(refused.values())))
        self._undecodable += batch.undecodable
        asked, self.cursors = self.cursors, {}
        for call_id in asked:
            row = batch.found.get(call_id, Associations())
            self._found[call_id] += row.ids
            if row.after is not None:
                self._follow(call_id, row.after, status)

    def _follow(self, call_id: str, after: str, status: int) -> None:
        if (call_id, after) in self._followed:
            raise PortalFailure(kind="undecodable", detail="paging does not advance", status=status)
        self._followed.add((call_id, after))
        self.cursors[call_id] = after

    def read(self, failure: PortalFailure | None = None) -> AssociationsRead:
        """Return what was gathered; raises RecordRefused if a row cannot be told apart.

        Calls with more pages are told apart: half a list looks like removals. `failure` is why
        their next pages were not read.

        A row that cannot be read leaves its call out; one that names none of the calls could be
        about any of them.
        """
        unknown = {row.call_id for row in self._undecodable}
        if not unknown <= self._found.keys():
            if len(self._found) > 1:
                raise RecordRefused(200, category="UNDECODABLE")
            unknown = set(self._found)
        return AssociationsRead(
            ids={
                call_id: sorted_ids(others)
                for call_id, others in self._found.items()
                if call_id not in unknown and call_id not in self.cursors
            },
            begun={
                call_id: Begun(tuple(self._found[call_id]), after)
                for call_id, after in self.cursors.items()
                if call_id not in unknown
            },
            failure=failure,
            undecodable=tuple(self._undecodable),
            requests=self.requests,
        )


def _refused(errors: Iterable[ErrorBody], status: int) -> Mapping[str, str]:
    """Return the ids that errors name, but for "not found" -> the error's category.

    Associations that a call does not have are reported as not found as well.
    """
    refused: dict[str, str] = {}
    for error in errors:
        if error.category == OBJECT_NOT_FOUND:
            continue
        ids = error.context.get("ids", ())
        if not ids:
            raise RecordRefused(
                status, category=error.category, correlation_id=error.correlation_id
            )
        refused.update(dict.fromkeys(ids, error.category or "UNKNOWN"))
    return refused
