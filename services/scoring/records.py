"""Rows of scoring's tables, each with the fields of its table in order."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from services.scoring.features import Habit, Purchase, Purse
from services.scoring.money import Rates, Reporting
from services.scoring.scores import Served


class Member(msgspec.Struct, frozen=True, gc=False):
    """A customer: the segment she stands in since when, then her habit, field by field."""

    account: str
    customer: str
    segment: str
    since: datetime
    first_day: int = 0
    last_day: int = 0
    occasions: int = 0
    orders: int = 0
    last_order: str = ""
    store: str = ""
    zone: str = ""
    currency: str = ""
    purses: tuple[Purse, ...] = ()

    @property
    def habit(self) -> Habit:
        """How she has bought so far."""
        return Habit(*msgspec.structs.astuple(self)[4:])

    def standing(self, habit: Habit, segment: str, since: datetime) -> "Member":
        """She as she stands now."""
        return Member(self.account, self.customer, segment, since, *msgspec.structs.astuple(habit))


class OrderRow(msgspec.Struct, frozen=True, gc=False):
    """The newest revision of an order, for what it counts, and whose it is; revision 0 holds the place of the first."""

    account: str
    order_id: str
    customer: str
    revision: int
    store: str
    zone: str
    day: int
    currency: str
    value: int
    counts: bool
    paid_currency: str = ""
    paid: int = 0
    exponent: int = 2
    waits: bool = False
    business: bool = False

    @classmethod
    def of(cls, account: str, customer: str, purchase: Purchase) -> "OrderRow":
        """A purchase and whose it is."""
        order, revision, *rest = msgspec.structs.astuple(purchase)
        return cls(account, order, customer, revision, *rest)

    @classmethod
    def place(cls, account: str, order_id: str) -> "OrderRow":
        """A place to lock for an order that may not be known yet."""
        return cls(account, order_id, "", 0, "", "", 0, "", 0, counts=False)

    @property
    def purchase(self) -> Purchase:
        """What the order counts for."""
        return Purchase(self.order_id, *msgspec.structs.astuple(self)[3:])


class ServedRow(msgspec.Struct, frozen=True):
    """The model in force of an account."""

    account: str
    served: Served


class ModelRow(msgspec.Struct, frozen=True):
    """One refit: when, with what result; the model in force has its version."""

    account: str
    version: int
    at: datetime
    status: str
    cards: dict[str, Any]


UNCLAIMED = datetime.fromtimestamp(0, UTC)


class RefitRow(msgspec.Struct, frozen=True):
    """A refit that is asked for; `until` (machine time) is how long somebody has claimed it."""

    account: str
    asked: datetime
    until: datetime


class RatesRow(msgspec.Struct, frozen=True):
    """A day's exchange rates as the shop gave them."""

    account: str
    day: int
    rates: Rates


class ReportingRow(msgspec.Struct, frozen=True):
    """The currency that an account reports in."""

    account: str
    reporting: Reporting


class PulseRow(msgspec.Struct, frozen=True):
    """A store whose daily rescan has been started ('' for the account's refit)."""

    account: str
    store: str
