"""`/ops/dead-letters`: list, look at, drop and replay what was set aside.

Handlers for the operators' router, which guards them: on their own they let everybody in.
"""

from collections.abc import Awaitable
from typing import Annotated, Final, TypeVar

import msgspec
from litestar import delete, get, post
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.params import JSONBody, Parameter
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from jobs.deadletters.box import PAGE, Box, Page, Replayed
from jobs.deadletters.bulk import Ring, replay_all, replay_named
from jobs.deadletters.envelope import OPEN
from jobs.deadletters.letters import Letter, Selection, is_letter_id
from jobs.deadletters.times import TimeError, moment_ms
from jobs.redis import TRANSIENT
from service.problems import RETRY_AFTER_S

DEAD_LETTERS: Final = "dead_letters"
"""Where the application's state holds `DeadLetters`."""
PATH: Final = "/dead-letters"
MOST: Final = 2_000
"""Letters that one request replays at most."""
_MOST_IDS: Final = 1_000
_LONGEST_PAGE: Final = 1_000
_LONGEST_TEXT: Final = 200

T = TypeVar("T")

Word = Annotated[str, Parameter(max_length=_LONGEST_TEXT)]


class DeadLetters(msgspec.Struct, frozen=True):
    """What the routes work with."""

    box: Box
    ring: Ring


class Shown(Letter, frozen=True, kw_only=True):
    """One letter, and of a notification its form."""

    notification: str | None
    """The notification without its values; None for everything else: `callstream dead show --raw`
    has the bytes."""


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters to replay: some by id, or all that meet every wish."""

    ids: Annotated[tuple[str, ...], msgspec.Meta(max_length=_MOST_IDS)] = ()
    reason: Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)] = ""
    portal_id: Annotated[int, msgspec.Meta(ge=1)] | None = None
    since: Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)] = ""
    """RFC 3339, or how long ago."""
    until: Annotated[str, msgspec.Meta(max_length=_LONGEST_TEXT)] = ""
    all: bool = False
    """All there are."""


@get(PATH, summary="List dead letters, the newest first")
async def list_letters(  # noqa: PLR0913 - the query's parameters, by name
    *,
    state: State,
    reason: Word = "",
    portal_id: Annotated[int | None, Parameter(ge=1)] = None,
    since: Word = "",
    until: Word = "",
    limit: Annotated[int, Parameter(ge=1, le=_LONGEST_PAGE)] = PAGE,
    after: Word = "",
) -> Page:
    """Answer a page; `after` in it, given again, leads to the next. Nothing of calls is in it."""
    if after:
        _check_id(after)
    selection = _selection(reason, portal_id, since, until)
    return await _answered(_parts(state).box.page(selection, limit=limit, after=after))


@get(f"{PATH}/{{letter_id:str}}", summary="Look at a dead letter")
async def look_at_letter(state: State, letter_id: str) -> Shown:
    """Answer the letter; 404 if there is none of this id."""
    box = _parts(state).box
    letter = await _answered(box.find(letter_id)) if is_letter_id(letter_id) else None
    if letter is None:
        raise _no_such(letter_id)
    shown = None
    if letter.kept == "stripped":
        shown = (await _answered(box.raw(letter, OPEN))).decode(errors="replace")
    return Shown(**msgspec.structs.asdict(letter), notification=shown)


@delete(f"{PATH}/{{letter_id:str}}", summary="Drop a dead letter")
async def drop_letter(state: State, letter_id: str) -> None:
    """Delete the letter for good: 204; 404 if there is none of this id."""
    box = _parts(state).box
    if not is_letter_id(letter_id) or not await _answered(box.drop([letter_id])):
        raise _no_such(letter_id)


@post(f"{PATH}/replay", status_code=HTTP_200_OK, summary="Have calls read again")
async def replay_letters(data: JSONBody[Chosen], state: State) -> Replayed:
    """Answer how many letters are marks again; `more` asks to come again for the rest."""
    parts = _parts(state)
    for letter_id in data.ids:
        _check_id(letter_id)
    selection = _selection(data.reason, data.portal_id, data.since, data.until)
    if data.ids:
        if selection != Selection() or data.all:
            msg = "ids and other choices do not go together"
            raise ValidationException(msg)
        return await _answered(replay_named(parts.box, data.ids, parts.ring))
    if selection == Selection() and not data.all:
        msg = "say which: ids, reason, portal_id, since, until, or all"
        raise ValidationException(msg)
    return await _answered(replay_all(parts.box, selection, parts.ring, most=MOST))


def _parts(state: State) -> DeadLetters:
    parts: DeadLetters = state[DEAD_LETTERS]
    return parts


def _selection(reason: str, portal_id: int | None, since: str, until: str) -> Selection:
    try:
        return Selection(
            reason=reason,
            portal_id=portal_id,
            since_ms=moment_ms(since) if since else 0,
            until_ms=moment_ms(until) if until else None,
        )
    except TimeError as error:
        msg = f"since and until {error}"
        raise ValidationException(msg) from None


def _check_id(letter_id: str) -> None:
    if not is_letter_id(letter_id):
        msg = "an id is one such as 1764000000000-0"
        raise ValidationException(msg)


def _no_such(letter_id: str) -> NotFoundException:
    return NotFoundException(f"there is no dead letter {letter_id[:_LONGEST_TEXT]}")


async def _answered(asking: Awaitable[T]) -> T:
    """Return Redis' answer; raises HTTPException 503 if it is away."""
    try:
        return await asking
    except TRANSIENT as error:
        away = "Redis is away"
        raise HTTPException(
            away,
            status_code=HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_S)},
        ) from error
