"""Whose points: those of the main wallet are a customer's, those of a further one the holder's `customer/wallet`.

Lots, transactions, ratings, redemptions and holds name their holder, so that each wallet is a book of its own.
"""

from typing import Final

from shared.events.loyalty import MAIN_WALLET

MAIN: Final = MAIN_WALLET
_BETWEEN: Final = "/"


def in_wallet(name: str, wallet: str) -> str:
    """How a customer, or an order, goes by in a wallet."""
    return name if wallet == MAIN else f"{name}{_BETWEEN}{wallet}"


def without_wallet(name: str) -> str:
    """The customer behind a holder, or the order behind its rating in a wallet."""
    return name.partition(_BETWEEN)[0]


def wallet_of(name: str) -> str:
    """The wallet that a holder, or a rating, belongs to."""
    return name.partition(_BETWEEN)[2] or MAIN
