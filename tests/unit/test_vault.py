"""What is encrypted at rest: it opens under our keys, for what it is about, and not otherwise."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from jobs.accounts.tokens import Tokens, seal, unseal
from jobs.accounts.vault import SealedError, Vault
from jobs.config.values import Secret
from tests.support.installs import new_key

OLD, NEW = new_key(), new_key()
TOKENS = Tokens(Secret("an-access-token"), Secret("a-refresh-token"))


@given(value=st.binary(max_size=300), about=st.text(max_size=30))
def test_what_is_sealed_opens(value: bytes, about: str) -> None:
    """Whatever is sealed comes out again, and does not stand in what is kept."""
    sealed = Vault([NEW]).seal(value, about=about)
    assert Vault([NEW]).open(sealed, about=about) == value
    assert len(value) < 8 or value not in sealed


def test_an_older_key_opens_and_the_newest_seals() -> None:
    """While keys are rotated both open; what is sealed anew needs the newest."""
    both = Vault([NEW, OLD])
    assert both.open(Vault([OLD]).seal(b"x", about="a"), about="a") == b"x"
    anew = both.seal(b"x", about="a")
    assert Vault([NEW]).open(anew, about="a") == b"x"
    assert both.is_current(anew)
    assert not both.is_current(Vault([OLD]).seal(b"x", about="a"))


@given(sealed=st.binary(max_size=200))
def test_anything_else_does_not_open(sealed: bytes) -> None:
    """Bytes that we did not seal are refused, whatever they are."""
    with pytest.raises(SealedError):
        Vault([NEW]).open(sealed, about="a")


@pytest.mark.parametrize(
    "sealed",
    [
        Vault([OLD]).seal(b"x", about="a"),
        Vault([NEW]).seal(b"x", about="b"),
        Fernet(NEW.reveal()).encrypt(b"x"),
        Vault([NEW]).seal(b"x", about="a")[:-2],
    ],
    ids=["another key", "about something else", "not ours", "cut"],
)
def test_what_is_not_for_us_does_not_open(sealed: bytes) -> None:
    """Another key, another subject, and what was changed do not open; no value is in the error."""
    with pytest.raises(SealedError) as caught:
        Vault([NEW]).open(sealed, about="a")
    assert str(caught.value).startswith("a: ")


def test_tokens_are_those_of_one_account() -> None:
    """Tokens open for the account that they were sealed for, and for no other."""
    sealed = seal(Vault([NEW]), 62515, TOKENS)
    assert unseal(Vault([NEW]), 62515, sealed) == TOKENS
    with pytest.raises(SealedError):
        unseal(Vault([NEW]), 777, sealed)


def test_what_is_no_tokens_is_told() -> None:
    """A sealed value that holds something else is refused."""
    sealed = Vault([NEW]).seal(b"something else", about="account 62515")
    with pytest.raises(SealedError, match="no tokens"):
        unseal(Vault([NEW]), 62515, sealed)


def test_tokens_do_not_show_themselves() -> None:
    """The repr of tokens holds none of them."""
    assert "token" not in repr(TOKENS).lower().replace("tokens(", "")
    assert "an-access" not in f"{TOKENS}"
