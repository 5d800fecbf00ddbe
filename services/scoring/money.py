"""Money in another currency than the account reports in: converted at the rate of the order's day, or set aside."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import msgspec

from services.scoring.features import Purchase

HOLDS_DAYS = 7
"""How long a rate holds when no newer one is given: exchanges rest at weekends and on holidays."""


class Reporting(msgspec.Struct, frozen=True):
    """The currency that an account reports in, and its minor digits."""

    currency: str
    exponent: int


class Rates(msgspec.Struct, frozen=True):
    """Rates of a day: what one unit of `base` costs in each currency, decimals as text."""

    base: str
    quotes: dict[str, str]

    def price(self, currency: str) -> Fraction | None:
        """What one unit of the base costs in a currency; None where that is not known."""
        if currency == self.base:
            return Fraction(1)
        quote = self.quotes.get(currency)
        return None if quote is None else Fraction(Decimal(quote))


def days_of(day: int) -> range:
    """Days whose rates may be used for an order of a day, the latest first."""
    return range(day, day - HOLDS_DAYS - 1, -1)


def is_foreign(currency: str, to: Reporting) -> bool:
    """Whether money in a currency has to be converted."""
    return currency != to.currency


def valued(purchase: Purchase, to: Reporting, known: Mapping[int, Rates]) -> Purchase:
    """A purchase with its money in the reporting currency, by the latest of the days' rates that may be used for it."""
    currency, paid = original(purchase)
    if not is_foreign(currency, to):
        return msgspec.structs.replace(purchase, currency=currency, value=paid, paid_currency="", paid=0, waits=False)
    worth = _worth(paid, purchase, currency, to, known)
    return msgspec.structs.replace(
        purchase, currency=to.currency, value=worth or 0, paid_currency=currency, paid=paid, waits=worth is None
    )


def original(purchase: Purchase) -> tuple[str, int]:
    """What was paid, as it was paid."""
    return (purchase.paid_currency, purchase.paid) if purchase.paid_currency else (purchase.currency, purchase.value)


def _worth(paid: int, purchase: Purchase, currency: str, to: Reporting, known: Mapping[int, Rates]) -> int | None:
    """In minor units, halves rounded up; None without a rate."""
    for rates in (known[day] for day in days_of(purchase.day) if day in known):
        mine, theirs = rates.price(currency), rates.price(to.currency)
        if mine and theirs:
            scale = Fraction(10) ** (to.exponent - purchase.exponent)
            return int(paid * scale * theirs / mine + Fraction(1, 2))
    return None
