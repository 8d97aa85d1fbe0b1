"""What HubSpot says about an account: whose a token is, what its calls may be and hold."""

import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from jobs.hubspot.answer import AnswerError
from jobs.hubspot.kinds import CALLS
from jobs.hubspot.loose import DECODING, items, loads, members


class AccountDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The account that a token belongs to: `/account-info/<version>/details`."""

    portal_id: int
    account_type: str | None = None
    """Such as `STANDARD`, `SANDBOX` or `DEVELOPER_TEST`."""
    time_zone: str | None = None
    """Where its day, and with it its daily quota, begins."""
    ui_domain: str | None = None
    data_hosting_location: str | None = None


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What HubSpot says about an access token; never the token itself."""

    portal_id: int
    app_id: int | None = None
    scopes: tuple[str, ...] = ()


class _Token(msgspec.Struct):
    """Both forms: `hub_id` of the OAuth endpoints, `hubId` of the private apps' one."""

    hub_id: int | None = None
    app_id: int | None = None
    hub_id_camel: int | None = msgspec.field(default=None, name="hubId")
    app_id_camel: int | None = msgspec.field(default=None, name="appId")
    scopes: tuple[str, ...] | None = None


_account: Final = msgspec.json.Decoder(AccountDetails, strict=False)
_token: Final = msgspec.json.Decoder(_Token, strict=False)


def decode_account(raw: bytes) -> AccountDetails:
    """Return the account details; raises AnswerError if they name no portal."""
    try:
        return _account.decode(raw)
    except DECODING as error:
        raise AnswerError.of(error) from None


def decode_token_info(raw: bytes) -> TokenInfo:
    """Return what is said about a token; raises AnswerError if that names no portal."""
    try:
        token = _token.decode(raw)
    except DECODING as error:
        raise AnswerError.of(error) from None
    portal_id = token.hub_id_camel if token.hub_id is None else token.hub_id
    if portal_id is None:
        msg = "the token information names no portal"
        raise AnswerError(msg)
    app_id = token.app_id_camel if token.app_id is None else token.app_id
    return TokenInfo(portal_id=portal_id, app_id=app_id, scopes=token.scopes or ())


def decode_dispositions(raw: bytes) -> dict[str, str]:
    """Return the account's call outcomes: id to label.

    An entry without an id or a label is left out: an outcome without a label costs less than all.

    Raises:
        AnswerError: it is not a list.
    """
    listed = loads(raw)
    if not isinstance(listed, list):
        msg = "the dispositions are not a list"
        raise AnswerError(msg)
    pairs = ((entry.get("id"), entry.get("label")) for entry in map(members, items(listed)))
    return {
        key: label
        for key, label in pairs
        if isinstance(key, str) and isinstance(label, str) and key and label
    }


def decode_property_names(raw: bytes) -> tuple[str, ...]:
    """Return the names of the properties that the answer defines, in its order.

    One definition without a name spoils the answer: half a list looks like properties removed.

    Raises:
        AnswerError: it is not a list, or holds something without a name.
    """
    results = members(loads(raw)).get("results")
    names = [definition.get("name") for definition in map(members, items(results))]
    if not isinstance(results, list) or not all(isinstance(name, str) and name for name in names):
        msg = "the call properties are not a list of definitions with names"
        raise AnswerError(msg)
    # HubSpot's own names are the same in thousands of accounts.
    return tuple(sys.intern(name) for name in names if isinstance(name, str))


def decode_associated_types(raw: bytes) -> tuple[str, ...]:
    """Return the ids of the object types that the schema of calls names in its associations.

    A pair of types is named once for each kind of association between them, in either direction.

    Raises:
        AnswerError: it is no schema, or holds an association without both its types.
    """
    listed = members(loads(raw)).get("associations")
    pairs = [(one.get("fromObjectTypeId"), one.get("toObjectTypeId")) for one in _objects(listed)]
    ids = [type_id for pair in pairs for type_id in pair]
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in ids):
        msg = "the schema of calls does not list associations with their types"
        raise AnswerError(msg)
    return tuple(dict.fromkeys(one for one in ids if isinstance(one, str) and one != CALLS))


def _objects(listed: object) -> list[Mapping[str, object]]:
    return [members(one) for one in items(listed)]
