"""Puts all tokens under the newest of TOKEN_KEYS, so that an older one can be given up."""

from collections.abc import Callable

import msgspec

from jobs.accounts.register import AT_ONCE, Record, Register
from jobs.accounts.tokens import seal, unseal
from jobs.accounts.vault import SealedError, Vault

Progress = Callable[[int, int], None]
"""Is told how many accounts of how many were looked at."""


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the accounts' tokens."""

    rotated: int = 0
    current: int = 0
    """Accounts whose tokens were under the newest key already."""
    unreadable: tuple[int, ...] = ()
    """Accounts whose tokens no key opens."""
    outdated_letters: int = 0
    """Dead letters whose bytes the newest key does not open: they stay as they are."""


async def rotate(
    register: Register, vault: Vault, progress: Progress = lambda _, __: None
) -> Rotation:
    """Seal the tokens of every account anew; safe to do twice, and while tokens are refreshed.

    Raises:
        redis.RedisError: Redis did not answer; what was rotated stays so.
    """
    portals = await register.portals()
    done, unreadable = Rotation(), list[int]()
    for start in range(0, len(portals), AT_ONCE):
        for record in await register.records(portals[start : start + AT_ONCE]):
            try:
                rotated = await _rotate(register, vault, record)
            except SealedError:
                unreadable.append(record.portal_id)
                continue
            count = Rotation(rotated=done.rotated + rotated, current=done.current + (not rotated))
            done = count
        progress(min(start + AT_ONCE, len(portals)), len(portals))
    return msgspec.structs.replace(done, unreadable=tuple(unreadable))


async def _rotate(register: Register, vault: Vault, record: Record) -> bool:
    """Seal an account's tokens anew; False if they are under the newest key, or gone."""
    rotated = False
    while not vault.is_current(record.sealed):
        tokens = unseal(vault, record.portal_id, record.sealed)
        anew = seal(vault, record.portal_id, tokens)
        rotated = await register.reseal(record.portal_id, record.sealed, anew)
        found = await register.records([record.portal_id])
        if not found:
            return False
        record = found[0]
    return rotated
