"""Whether the account's token is good, whose it is, what it may read, and how much of it."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from redis.exceptions import RedisError

from jobs.config.settings import DOCUMENTED_PROPERTIES, Settings
from jobs.config.values import ANYONE
from jobs.hubspot.about import AccountDetails
from jobs.hubspot.consent import scopes_for
from jobs.hubspot.errors import HubSpotError, PortalFailure, RecordRefused
from jobs.hubspot.limits import RateHeaders, read_rate_headers
from jobs.hubspot.paths import Paths
from jobs.hubspot.schema import CallPage, TokenInfo, decode_account, decode_page
from jobs.hubspot.transport import Request, Transport
from jobs.ledger.ledger import Ledger
from jobs.redis import connect
from jobs.timing import Timing
from service.doctor.findings import Finding, Notes
from service.doctor.subject import Subject, subject_of
from service.doctor.telling import some, told
from service.inquiry import Inquiry, decoded

LOW: Final = 0.1
"""The share of the day's requests from which on few are left."""

T = TypeVar("T")


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What an account answered beside whose it is: of each part the answer, or the failure."""

    calls: HubSpotError | None
    """Why calls cannot be read; None = they can."""
    associations: Mapping[str, HubSpotError | None]
    """The same of each kind of associations."""
    properties: tuple[str, ...] | HubSpotError
    token: TokenInfo | HubSpotError
    rates: RateHeaders


async def examine_hubspot(
    settings: Settings, transport: Transport, portal_id: int | None
) -> Sequence[Finding]:
    """Examine one account."""
    notes = Notes("hubspot")
    try:
        subject = await subject_of(settings, transport, portal_id)
        if subject is None:
            todo = "set HUBSPOT_ACCESS_TOKEN, or let an account install the app"
            notes.warning("token", "not checked: there is no token and no account", todo)
            return notes.findings
        inquiry = Inquiry(transport, Paths(settings.hubspot_api_version), subject.token)
        details = await inquiry.decoded(Request("GET", inquiry.paths.account), decode_account)
    except HubSpotError as failure:
        notes.problem("token", *told(failure))
        return notes.findings
    except (RedisError, OSError) as error:
        said = f"not checked: Redis keeps the tokens, and is away ({type(error).__name__})"
        notes.warning("token", said, "see to Redis first")
        return notes.findings
    notes.ok("token", "HubSpot takes it")
    judge_account(details, subject, notes)
    answers = await ask(inquiry, subject, settings)
    judge_reading(answers, notes)
    judge_properties(answers.properties, settings, notes)
    judge_limits(answers.rates, notes)
    await _judge_notifications(settings, details, notes)
    return notes.findings


async def ask(inquiry: Inquiry, subject: Subject, settings: Settings) -> Answers:
    """Ask an account for a little of all that is read of it."""
    first, properties, token = await asyncio.gather(
        _or_failure(_first_page(inquiry)),
        _or_failure(inquiry.property_names()),
        _or_failure(inquiry.token_info(subject.app)),
    )
    page, rates = (None, RateHeaders()) if isinstance(first, HubSpotError) else first
    call_id = page.calls[0].id if page and page.calls else "1"
    # Of all kinds those are read that the token may read: none of them can be wrong.
    kinds = () if ANYONE in settings.call_associations else settings.call_associations
    outcomes = await asyncio.gather(
        *(_or_failure(_associations(inquiry, kind, call_id)) for kind in kinds)
    )
    return Answers(
        calls=first if isinstance(first, HubSpotError) else None,
        associations={
            kind: outcome if isinstance(outcome, HubSpotError) else None
            for kind, outcome in zip(kinds, outcomes, strict=True)
        },
        properties=properties,
        token=token,
        rates=rates,
    )


async def _first_page(inquiry: Inquiry) -> tuple[CallPage, RateHeaders]:
    request = Request("GET", inquiry.paths.calls, query=[("limit", "1")])
    answer = await inquiry.send(request)
    return decoded(answer, decode_page), read_rate_headers(answer.headers)


async def _associations(inquiry: Inquiry, kind: str, call_id: str) -> None:
    body = msgspec.json.encode({"inputs": [{"id": call_id}]})
    await inquiry.send(Request("POST", inquiry.paths.associations(kind), body=body))


async def _or_failure(asking: Awaitable[T]) -> T | HubSpotError:
    try:
        return await asking
    except HubSpotError as failure:
        return failure


def judge_account(details: AccountDetails, subject: Subject, notes: Notes) -> None:
    """Judge whether the token belongs to the account that is meant."""
    named = f"account {details.portal_id}"
    if subject.portal_id not in (None, details.portal_id):
        said = f"the token belongs to {named}, not to {subject.portal_id}"
        todo = f"set HUBSPOT_PORTAL_ID={details.portal_id}, or the token of {subject.portal_id}"
        notes.problem("account", said, todo)
        return
    more = ", ".join(word for word in (details.account_type, details.time_zone) if word)
    notes.ok("account", f"{named} ({more})" if more else named)


def judge_reading(answers: Answers, notes: Notes) -> None:
    """Judge what the token may read, by having read it: not every token's scopes are told."""
    granted = answers.token.scopes if isinstance(answers.token, TokenInfo) else ()
    has = f"; it has {', '.join(sorted(granted))}" if granted else ""
    reads = {"calls": answers.calls, **answers.associations}
    for what, failure in reads.items():
        if failure is None:
            continue
        part = f"associations with {what}" if what != "calls" else what
        check = "scopes" if what == "calls" else f"scopes {what}"
        scope = _scope_of(what)
        if isinstance(failure, PortalFailure) and failure.kind == "forbidden":
            less = f", or take {what} out of CALL_ASSOCIATIONS" if what != "calls" else ""
            todo = f"add {scope} to the app's scopes and install it again{less}"
            notes.problem(check, f"the token may not read {part}{has}", todo)
        elif isinstance(failure, RecordRefused):
            todo = f"check how {what} is spelt in CALL_ASSOCIATIONS"
            notes.problem(check, f"HubSpot does not know {part}: {failure}", todo)
        else:
            said, todo = told(failure)
            notes.problem(check, f"{part} cannot be read: {said}", todo)
    readable = [what for what, failure in reads.items() if failure is None]
    if len(readable) == len(reads):
        rest = ", ".join(readable[1:])
        notes.ok("scopes", f"calls can be read, with their {rest}" if rest else "calls can be read")


def _scope_of(what: str) -> str:
    return scopes_for((what,) if what != "calls" else ())[-1]


def judge_properties(
    found: tuple[str, ...] | HubSpotError, settings: Settings, notes: Notes
) -> None:
    """Judge whether the account has the properties that are to be read of it."""
    if isinstance(found, HubSpotError):
        said, todo = told(found)
        if ANYONE in settings.call_properties:
            notes.problem("properties", f"CALL_PROPERTIES=* cannot be listed: {said}", todo)
        else:
            notes.warning("properties", f"the account's cannot be listed: {said}", todo)
        return
    if ANYONE in settings.call_properties:
        notes.ok("properties", f"all {len(found)} of the account")
        return
    wanted = settings.call_properties
    strangers = [n for n in wanted if n not in found and n not in DOCUMENTED_PROPERTIES]
    if strangers:
        said = f"the account does not define {some(strangers)}, and HubSpot ignores such names"
        notes.warning("properties", said, "check how they are spelt in CALL_PROPERTIES")
    else:
        notes.ok("properties", f"{len(set(wanted) & set(found))} of the account's {len(found)}")


def judge_limits(rates: RateHeaders, notes: Notes) -> None:
    """Judge how much HubSpot lets us ask."""
    if rates.max is None:
        return
    said = f"{rates.max} requests per {(rates.interval_ms or 10_000) // 1000} s"
    if rates.daily is None or rates.daily_remaining is None:
        notes.ok("limits", said)
        return
    said += f", {rates.daily_remaining:,} of {rates.daily:,} left today"
    if rates.daily_remaining < LOW * rates.daily:
        todo = "find out which of the account's apps asks so much: they share the day's limit"
        notes.warning("limits", said, todo)
    else:
        notes.ok("limits", said)


async def _judge_notifications(settings: Settings, details: AccountDetails, notes: Notes) -> None:
    """Judge whether the notifications that came are about accounts whose calls can be read."""
    if not settings.redis_url or settings.hubspot_client_id:
        return
    try:
        async with connect(settings.redis_url, retries=0) as redis:
            strangers = await Ledger(redis, settings.namespace, Timing()).strangers()
    except (RedisError, OSError):  # told by its own group
        return
    judge_strangers(strangers, details.portal_id, notes)


def judge_strangers(strangers: Collection[int], owner: int, notes: Notes) -> None:
    """Judge the accounts that notifications named and that nobody has connected."""
    others = sorted(set(strangers) - {owner})
    if others:
        said = (
            f"notifications come from account {some(map(str, others))}, "
            f"the token belongs to account {owner}"
        )
        notes.problem("notifications", said, "set the token of the account they come from")
    elif strangers:
        said = f"notifications wait, and no worker has connected account {owner} yet"
        notes.warning("notifications", said, "start callstream worker, or see its log")
    else:
        notes.ok("notifications", "none from an unknown account")
