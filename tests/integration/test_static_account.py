"""The one account of the settings: whose token it is, asked once and kept."""

import asyncio
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis

from jobs.accounts.accounts import Accounts
from jobs.accounts.static import StaticAccount
from jobs.config.values import Secret
from jobs.hubspot.errors import PortalFailure
from jobs.redis import command

PORTAL = 62515
TOKEN = Secret("pat-na1-planted-token")


class HubSpot:
    """Answers whose a token is, and counts how often it was asked."""

    def __init__(self, *answers: int | PortalFailure) -> None:
        self.asked = 0
        self._answers: Sequence[int | PortalFailure] = answers

    async def __call__(self, token: Secret) -> int:
        """Return the next answer."""
        assert token.reveal()
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(answer, PortalFailure):
            raise answer
        return answer


def account(
    redis: Redis, hubspot: HubSpot, token: Secret = TOKEN, portal_id: int | None = None
) -> StaticAccount:
    """Return the account of one process."""
    return StaticAccount(redis, "tenant-1", hubspot, token=token, portal_id=portal_id)


async def test_hubspot_is_asked_once(redis: Redis, namespace: str) -> None:
    """Callers at the same time, and later processes, take the answer of the first."""
    assert namespace == "tenant-1"
    hubspot = HubSpot(PORTAL)
    first, second = account(redis, hubspot), account(redis, hubspot)

    tokens = await asyncio.gather(*(first.token(PORTAL) for _ in range(3)))

    assert tokens == [TOKEN] * 3
    assert await second.owner() == PORTAL
    assert hubspot.asked == 1


async def test_a_given_portal_is_held_against_the_token(redis: Redis) -> None:
    """A token of another account than the settings name is refused, and both are named."""
    hubspot = HubSpot(PORTAL)
    wrong = account(redis, hubspot, portal_id=777)

    for asking in (wrong.owner(), wrong.token(777), wrong.token(PORTAL)):
        with pytest.raises(PortalFailure, match="account 62515, and HUBSPOT_PORTAL_ID says 777"):
            await asking
    assert await account(redis, hubspot, portal_id=PORTAL).token(PORTAL) == TOKEN
    assert hubspot.asked == 1


async def test_a_given_portal_is_believed_where_hubspot_does_not_say(redis: Redis) -> None:
    """A token that may not read whose it is, or an outage, keeps nobody from working."""
    hubspot = HubSpot(PortalFailure(kind="forbidden", status=403))
    some = account(redis, hubspot, portal_id=777)

    assert await some.known() == 777
    assert await some.token(777) == TOKEN
    assert await some.owner() == 777
    assert hubspot.asked == 1


async def test_another_account_is_unknown(redis: Redis) -> None:
    """A portal that the token does not belong to is refused, and both are named."""
    with pytest.raises(PortalFailure, match="belongs to account 62515, not to 777") as caught:
        await account(redis, HubSpot(PORTAL)).token(777)

    assert caught.value.kind == "unknown"


async def test_no_token_no_account() -> None:
    """Without a token and without installs every account is unknown."""
    with pytest.raises(PortalFailure, match="no token for account 62515") as caught:
        await Accounts(static=None, installed=None).token(PORTAL)
    assert caught.value.kind == "unknown"


async def test_a_failed_question_is_asked_again(redis: Redis) -> None:
    """What HubSpot could not say is not kept."""
    hubspot = HubSpot(PortalFailure(kind="server", status=502), PORTAL)
    some = account(redis, hubspot)

    with pytest.raises(PortalFailure, match="502"):
        await some.owner()
    assert await some.owner() == PORTAL


async def test_a_new_token_is_asked_about_anew(redis: Redis) -> None:
    """The operator may have put in another account's token."""
    await account(redis, HubSpot(PORTAL)).owner()

    other = account(redis, HubSpot(777), token=Secret("pat-na1-another"))

    assert await other.owner() == 777


async def test_a_refused_token_has_no_other(redis: Redis) -> None:
    """A token that HubSpot refused is all there is."""
    some = account(redis, HubSpot(PORTAL))

    assert await some.token(PORTAL, refused=TOKEN) == TOKEN


async def test_the_token_is_not_kept(redis: Redis) -> None:
    """Redis holds a fingerprint from which the token cannot be had."""
    await account(redis, HubSpot(PORTAL)).owner()

    kept = await command(redis, "HGETALL", "tenant-1:accounts:owners")
    assert TOKEN.reveal() not in repr(kept)
    assert await redis.keys() == [b"tenant-1:accounts:owners"]
