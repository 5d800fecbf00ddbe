"""Tokens speak for one person, channel and purpose, and for one use."""

import pytest

from services.notifications.tokens import ONE_CLICK, PREFERENCES, Link, Tokens

LINK = Link("acc_1", "cus_ana", "email", "marketing")


def test_a_token_says_whom_it_speaks_for() -> None:
    tokens = Tokens(b"key")
    assert tokens.read(ONE_CLICK, tokens.sign(ONE_CLICK, LINK)) == LINK


def test_a_token_of_another_use_or_key_or_altered_says_nothing() -> None:
    tokens = Tokens(b"key")
    token = tokens.sign(ONE_CLICK, LINK)
    assert tokens.read(PREFERENCES, token) is None
    assert Tokens(b"other").read(ONE_CLICK, token) is None
    assert tokens.read(ONE_CLICK, token[:-1] + ("A" if token[-1] != "A" else "B")) is None


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "\x00"])
def test_nonsense_is_no_token(token: str) -> None:
    assert Tokens(b"key").read(ONE_CLICK, token) is None


def test_a_true_signature_over_something_else_is_no_token() -> None:
    tokens = Tokens(b"key")
    assert tokens.read(ONE_CLICK, str(tokens._signers[ONE_CLICK].dumps({"account": "acc_1"}))) is None
