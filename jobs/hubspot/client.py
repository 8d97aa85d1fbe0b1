"""HubSpot's API as the jobs use it: each method is one question, paid for out of the budget."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

import msgspec

from jobs.config.values import Secret
from jobs.hubspot.batches import BATCH, Gathering, batch_of, judge_calls
from jobs.hubspot.budget import Budget, Kind
from jobs.hubspot.errors import OUTAGE, PortalFailure, RecordRefused
from jobs.hubspot.faults import date_ms, fault_of, is_missing
from jobs.hubspot.paths import Paths
from jobs.hubspot.reads import AssociationsRead, Begun, CallRead, CallsRead, PageRead, SearchRead
from jobs.hubspot.schema import (
    AnswerError,
    RecordError,
    Undecodable,
    decode_account,
    decode_associated_types,
    decode_association_batch,
    decode_batch,
    decode_call,
    decode_dispositions,
    decode_page,
    decode_property_names,
    decode_search,
)
from jobs.hubspot.searching import PAGE, search_body
from jobs.hubspot.transport import Answer, Request, Transport

_OK: Final = frozenset({200, 207})
_UNAUTHORISED: Final = 401
MOST_PAGES: Final = 30
"""So many pages of associations are read in one go: a call with more is read over several jobs."""
_SERVER_ERROR: Final = 500
_NOT_THIS_KIND: Final = frozenset({"forbidden", "no_such_path"})
_LONGEST_LIST: Final = 4_000
"""Characters of property names that a URL may carry; HubSpot answers 414 from a length on that it
does not document."""

T = TypeVar("T")


class Accounts(Protocol):
    """Whose calls may be read, and with which token (see `jobs.accounts`)."""

    async def token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return a token of the account, another one than HubSpot has `refused` if there is one.

        Raises:
            PortalFailure, RecordRefused: there is none, or none now.
            redis.RedisError: Redis had to be asked and was away.
        """
        ...


class HubSpot:
    """Reads accounts' calls.

    Every method raises `PortalFailure` when the account cannot be read now, its own budget being
    one reason, `RecordRefused` when HubSpot refuses what was asked for, and `redis.RedisError` when
    budget or tokens cannot be reached. A request is taken out of the budget before it is sent;
    `prepaid=True` says that the caller has done so for the first one.
    """

    def __init__(
        self, transport: Transport, paths: Paths, budget: Budget, accounts: Accounts
    ) -> None:
        """Ask through `transport` at `paths`, with the tokens of `accounts`, within `budget`."""
        self._transport = transport
        self._paths = paths
        self._budget = budget
        self._accounts = accounts

    async def read_calls(
        self,
        portal_id: int,
        ids: Sequence[str],
        properties: Sequence[str],
        *,
        archived: bool = False,
        prepaid: bool = False,
    ) -> CallsRead:
        """Read up to a hundred calls, live ones or archived ones, in one request."""
        asked = batch_of(ids)
        inputs = [{"id": call_id} for call_id in asked]
        request = Request(
            "POST",
            self._paths.batch_read,
            query=(("archived", _word(flag=archived)),),
            body=msgspec.json.encode({"inputs": inputs, "properties": list(properties)}),
        )
        answer = await self._ask(portal_id, request, prepaid=prepaid)
        return judge_calls(asked, _decoded(decode_batch, answer), answer)

    async def read_call(
        self,
        portal_id: int,
        call_id: str,
        properties: Sequence[str],
        *,
        archived: bool = False,
        prepaid: bool = False,
    ) -> CallRead:
        """Read one call, live or archived; what HubSpot answers may be another one, by a merge.

        Properties that are too many for a URL are read in a second request, a batch of one; those
        of another call are not read then.
        """
        names = properties if fits_url(properties) else ()
        query = [("archived", _word(flag=archived)), *_listed("properties", names)]
        request = Request("GET", self._paths.call(call_id), query=query)
        answer = await self._ask(portal_id, request, prepaid=prepaid, may_miss=True)
        found_at, took_ms = date_ms(answer.headers), answer.elapsed_ms
        try:
            call = _decoded(decode_call, answer) if answer.status in _OK else None
        except RecordError as error:
            bad = Undecodable(call_id, answer.body, str(error))
            return CallRead(call=None, undecodable=bad, date_ms=found_at, elapsed_ms=took_ms)
        if call is not None and call.id == call_id and len(names) < len(properties):
            batch = await self.read_calls(portal_id, [call_id], properties, archived=archived)
            if call_id not in batch.calls:
                raise RecordRefused(answer.status, category="FOUND_SINGLY_ONLY")
            call = batch.calls[call_id]
        return CallRead(call=call, date_ms=found_at, elapsed_ms=took_ms)

    async def read_associations(
        self,
        portal_id: int,
        to_type: str,
        ids: Sequence[str],
        *,
        begun: Mapping[str, Begun] = MappingProxyType({}),
        prepaid: bool = False,
    ) -> AssociationsRead:
        """Read the associations of up to a hundred calls with one type of object, page by page.

        Further pages are taken out of the budget one by one. Calls that need more of them than
        `MOST_PAGES`, or than could be had, are returned as begun: given again as `begun`, they are
        read on from there.
        """
        gathering = Gathering(batch_of(ids), begun)
        while gathering.cursors and gathering.requests < MOST_PAGES:
            request = self._associations_request(to_type, gathering.cursors)
            first = gathering.requests == 0
            try:
                answer = await self._ask(portal_id, request, prepaid=prepaid and first)
            except PortalFailure as failure:
                if first:
                    raise
                return gathering.read(failure)
            gathering.add(_decoded(decode_association_batch, answer), answer.status)
        return gathering.read()

    async def list_page(  # noqa: PLR0913 - a listing's own parameters, all but two by name
        self,
        portal_id: int,
        after: str | None,
        *,
        properties: Sequence[str],
        associations: Sequence[str] = (),
        archived: bool = False,
        limit: int = BATCH,
        prepaid: bool = False,
    ) -> PageRead:
        """Read a page of all live, or all archived, calls; `after` is the last page's, or None."""
        query = [("limit", str(limit)), ("archived", _word(flag=archived))]
        query += _listed("properties", properties) + _listed("associations", associations)
        if after is not None:
            query.append(("after", after))
        request = Request("GET", self._paths.calls, query=query)
        answer = await self._ask(portal_id, request, prepaid=prepaid)
        return PageRead(
            page=_decoded(decode_page, answer),
            date_ms=date_ms(answer.headers),
            elapsed_ms=answer.elapsed_ms,
        )

    async def search_calls(
        self,
        portal_id: int,
        *,
        since_ms: int,
        until_ms: int | None = None,
        after_id: str = "0",
        limit: int = PAGE,
    ) -> SearchRead:
        """Return a page of the live calls last modified between two times, both inclusive.

        Pages go by id: `after_id` is the last page's last call. Ids, times and merges are read.
        HubSpot's search lags behind, and counts in a limit of its own (5 a second).

        Args:
            portal_id: the account.
            since_ms: HubSpot's `hs_lastmodifieddate`, epoch ms.
            until_ms: likewise; None for no end.
            after_id: only calls with a higher id.
            limit: calls per page, up to 200.
        """
        body = search_body(since_ms, until_ms, after_id, limit)
        request = Request("POST", self._paths.search, body=body)
        answer = await self._ask(portal_id, request, kind="search")
        return SearchRead(
            page=_decoded(decode_search, answer),
            date_ms=date_ms(answer.headers),
            elapsed_ms=answer.elapsed_ms,
        )

    async def portal_id_of_token(self, portal_id: int) -> int:
        """Ask HubSpot which account the token of `portal_id` belongs to."""
        answer = await self._ask(portal_id, Request("GET", self._paths.account))
        return _decoded(decode_account, answer).portal_id

    async def confirm_token(self, portal_id: int) -> None:
        """Raise `PortalFailure` of kind `wrong_account` if the token is another account's."""
        owner = await self.portal_id_of_token(portal_id)
        if owner != portal_id:
            detail = f"the token belongs to account {owner}, not to {portal_id}"
            raise PortalFailure(kind="wrong_account", detail=detail)

    async def dispositions(self, portal_id: int) -> dict[str, str]:
        """Return the account's own call outcomes: id -> label."""
        answer = await self._ask(portal_id, Request("GET", self._paths.dispositions))
        return _decoded(decode_dispositions, answer)

    async def property_names(self, portal_id: int, *, archived: bool = False) -> tuple[str, ...]:
        """Return the names of all call properties that the account defines, or has archived.

        Properties of sensitive data are not among them: HubSpot lists those only where asked to.
        """
        query = [("archived", _word(flag=archived))]
        answer = await self._ask(portal_id, Request("GET", self._paths.properties, query=query))
        return _decoded(decode_property_names, answer)

    async def associated_types(self, portal_id: int) -> tuple[str, ...]:
        """Return the ids of the object types that the account's calls can be associated with."""
        answer = await self._ask(portal_id, Request("GET", self._paths.call_schema))
        return _decoded(decode_associated_types, answer)

    async def may_associate(self, portal_id: int, kind: str) -> bool:
        """Tell whether HubSpot lets associations with a kind of object be read, by reading one."""
        try:
            await self.read_associations(portal_id, kind, ["1"])
        except RecordRefused:
            return False
        except PortalFailure as failure:
            if failure.kind in _NOT_THIS_KIND:
                return False
            raise
        return True

    def _associations_request(self, to_type: str, cursors: Mapping[str, str | None]) -> Request:
        inputs = [
            {"id": call_id} if after is None else {"id": call_id, "after": after}
            for call_id, after in cursors.items()
        ]
        body = msgspec.json.encode({"inputs": inputs})
        return Request("POST", self._paths.associations(to_type), body=body)

    async def _ask(
        self,
        portal_id: int,
        request: Request,
        *,
        prepaid: bool = False,
        may_miss: bool = False,
        kind: Kind = "burst",
    ) -> Answer:
        """Return the answer if it is one of success, or if it may and does say "not found"."""
        token = await self._token(portal_id)
        answer = await self._exchange(portal_id, request, token, prepaid=prepaid, kind=kind)
        if answer.status == _UNAUTHORISED:
            renewed = await self._token(portal_id, refused=token)
            if renewed != token:
                answer = await self._exchange(portal_id, request, renewed, kind=kind)
        if answer.status in _OK or (may_miss and is_missing(answer.status, answer.body)):
            return answer
        fault = fault_of(answer.status, answer.headers, answer.body)
        if isinstance(fault, PortalFailure) and fault.kind == "rate_limited":
            fault.retry_after_ms = await self._budget.cool(portal_id, fault, kind)
        raise fault

    async def _token(self, portal_id: int, *, refused: Secret | None = None) -> Secret:
        """Return a token; one that HubSpot's API fails to give is a sign of an outage like any."""
        try:
            return await self._accounts.token(portal_id, refused=refused)
        except PortalFailure as failure:
            if failure.kind in OUTAGE:
                await self._budget.fail(portal_id)
            raise

    async def _exchange(
        self,
        portal_id: int,
        request: Request,
        token: Secret,
        *,
        prepaid: bool = False,
        kind: Kind = "burst",
    ) -> Answer:
        wait_ms = 0 if prepaid else await self._budget.take(portal_id, kind=kind)
        if wait_ms:
            raise PortalFailure(kind="budget", retry_after_ms=wait_ms)
        try:
            answer = await self._transport.send(request, token)
        except PortalFailure:
            await self._budget.fail(portal_id)
            raise
        await self._budget.learn(
            portal_id,
            answer.headers,
            elapsed_ms=answer.elapsed_ms,
            kind=kind,
            status=answer.status,
        )
        if answer.status >= _SERVER_ERROR:
            await self._budget.fail(portal_id)
        return answer


def fits_url(names: Sequence[str]) -> bool:
    """Tell whether these property names may be asked for in a URL."""
    return sum(len(name) + 1 for name in names) <= _LONGEST_LIST


def _word(*, flag: bool) -> str:
    return "true" if flag else "false"


def _listed(name: str, values: Sequence[str]) -> list[tuple[str, str]]:
    """Return a list parameter, comma-joined as HubSpot's SDKs send it: shorter than repeated."""
    return [(name, ",".join(values))] if values else []


def _decoded(decode: Callable[[bytes], T], answer: Answer) -> T:
    """Return what the answer says; raises PortalFailure if it is not what HubSpot documents."""
    detail: str
    try:
        return decode(answer.body)
    except RecordError:
        raise
    except AnswerError as error:
        detail = str(error)
    raise PortalFailure(kind="undecodable", detail=detail, status=answer.status, raw=answer.body)
