"""Random words that are handed out, and what Redis keeps in their place."""

import hashlib
import re
import secrets
from typing import Final

from jobs.config.values import Secret

_BYTES: Final = 32
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def new_word() -> Secret:
    """Return a word of 256 random bits, fit for a URL, a cookie and a PKCE verifier."""
    return Secret(secrets.token_urlsafe(_BYTES))


def word_of(text: str | None) -> Secret | None:
    """Return a word that was handed in, None for a text that cannot be one."""
    return Secret(text) if text and _FORM.fullmatch(text) else None


def digest_of(word: Secret) -> str:
    """Return what a word is known by: whoever reads it in Redis cannot hand the word in."""
    return hashlib.sha256(word.reveal().encode()).hexdigest()
