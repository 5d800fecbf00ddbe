"""What is kept of a customer: a fold over her purchases that ends the same in whatever order they become known.

All sums are integers, so that adding a purchase to a habit and folding the whole list anew agree to the bit.
"""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from shared.events.ingest import Order, OrderStatus

BUSINESS = "b2b"


class Purchase(msgspec.Struct, frozen=True, gc=False):
    """What an order's newest revision counts for: `day` is the shop-local ordinal date, `value` the net kept, minor.

    Of one in another currency than its account reports in, `value` is the money converted, `paid` what it was; while
    there is no rate for it, `value` is 0 and the money `waits`. `exponent` is the minor digits of what was paid.
    """

    order: str
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


class Purse(msgspec.Struct, frozen=True, gc=False):
    """Spend in one currency: on how many days anything was paid, minor units in all, and the last such day."""

    currency: str
    days: int
    total: int
    last_day: int


class Habit(msgspec.Struct, frozen=True, gc=False):
    """How a customer has bought so far; purchases on one shop-local day are one occasion."""

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
    def repeats(self) -> int:
        """Occasions after the first (x)."""
        return self.occasions - 1 if self.occasions else 0

    @property
    def span(self) -> int:
        """Days from the first to the last occasion (t_x)."""
        return self.last_day - self.first_day

    def age(self, today: int) -> int:
        """Days from the first occasion to today; never less than the span, whatever a clock says."""
        return max(today, self.last_day) - self.first_day

    @property
    def purse(self) -> Purse:
        """Spend in the currency of the latest purchase."""
        for one in self.purses:
            if one.currency == self.currency:
                return one
        return Purse(self.currency, 0, 0, 0)


NOBODY = Habit()


def purchase_of(order: Order, store: str, zone: str) -> Purchase:
    """What this revision of an order counts for: it does when paid, real, and neither cancelled nor all given back."""
    value = sum(line.net_kept for line in order.lines if line.kind in {"product", "gift_card"})
    paid = order.paid_at is not None and order.cancelled_at is None and not order.test
    counts = paid and order.status not in {OrderStatus.CANCELLED, OrderStatus.REFUNDED}
    day = local_day(order.placed_at, zone)
    own = (order.currency, max(value, 0), counts)
    business = order.channel == BUSINESS
    return Purchase(order.id, order.revision, store, zone, day, *own, exponent=order.exponent, business=business)


def local_day(moment: datetime, zone: str) -> int:
    """The ordinal date that a moment falls on in an IANA zone."""
    return moment.astimezone(ZoneInfo(zone)).toordinal()


def same_for_scores(one: Purchase, other: Purchase) -> bool:
    """Whether two revisions of an order leave their customer's habit alike."""
    if not one.counts and not other.counts:
        return True
    return msgspec.structs.replace(one, revision=other.revision) == other


def fits_on_top(habit: Habit, known: Purchase | None, newest: Purchase) -> bool:
    """Whether the newest revision of an order can be added to a habit without folding it anew."""
    return (known is None or not known.counts) and newest.day >= habit.last_day


def add(habit: Habit, purchase: Purchase) -> Habit:
    """The habit with one more purchase, which is not earlier than the latest day so far."""
    if not purchase.counts:
        return habit
    if not habit.occasions:
        return _first(purchase)
    day, latest = purchase.day, (purchase.day, purchase.order) > (habit.last_day, habit.last_order)
    newest = purchase if latest else habit
    return Habit(
        habit.first_day,
        day,
        habit.occasions + (day > habit.last_day),
        habit.orders + 1,
        purchase.order if latest else habit.last_order,
        newest.store,
        newest.zone,
        newest.currency,
        _paid(habit.purses, purchase),
    )


def _first(purchase: Purchase) -> Habit:
    day, of = purchase.day, (purchase.store, purchase.zone, purchase.currency)
    return Habit(day, day, 1, 1, purchase.order, *of, _paid((), purchase))


def _paid(purses: tuple[Purse, ...], purchase: Purchase) -> tuple[Purse, ...]:
    if not purchase.value:
        return purses
    for at, mine in enumerate(purses):
        if mine.currency == purchase.currency:
            grown = Purse(
                mine.currency, mine.days + (purchase.day > mine.last_day), mine.total + purchase.value, purchase.day
            )
            return (*purses[:at], grown, *purses[at + 1 :])
    new = Purse(purchase.currency, 1, purchase.value, purchase.day)
    return tuple(sorted((*purses, new), key=lambda one: one.currency))


def fold(purchases: Iterable[Purchase]) -> Habit:
    """The habit that a customer's own list of purchases comes to, one entry per order."""
    habit = NOBODY
    for purchase in sorted(purchases, key=lambda one: (one.day, one.order)):
        habit = add(habit, purchase)
    return habit
