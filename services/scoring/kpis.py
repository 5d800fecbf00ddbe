"""Company figures by month, from purchases alone, with the definition of each beside it."""

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

WINDOW = 180

DEFINITIONS = {
    "customers_at_start": f"CS: customers who bought in the {WINDOW} days before the month",
    "customers_at_end": f"CE: customers who bought in the {WINDOW} days up to its end (or to today)",
    "new_customers": "CN: customers whose first purchase was in the month",
    "retention": "((CE - CN) / CS) * 100",
    "churn": f"share of CS, in percent, who did not buy in the {WINDOW} days up to the end",
    "repeat_rate": "share of all customers so far, in percent, who bought on two days or more",
    "purchase_frequency": "orders of the month per customer who bought in it, guests left out",
    "guest_orders": "orders of nobody we know, in percent of the month's: in orders and revenue, not among customers",
    "revenue": "net of the month's orders, refunds taken off, by currency; minor units",
    "average_order_value": "revenue per order, by currency; minor units",
    "revenue_total": "revenue in the currency reported in, each order at its day's exchange rate; minor units",
    "money_without_rate": "by currency, orders whose money is left out of the total until a rate comes; minor units",
    "customer_lifetime_months": "100 / churn: months until a customer is lost at this month's pace",
}


class Waiting(msgspec.Struct, frozen=True):
    """Orders whose money no rate has come for: how many, and what they come to in their own minor units."""

    orders: int
    amount: int


class Month(msgspec.Struct, frozen=True):
    """The figures of one calendar month; None where nothing is there to divide by."""

    month: str
    customers_at_start: int
    customers_at_end: int
    new_customers: int
    orders: int
    guest_orders: float | None
    revenue: dict[str, int]
    retention: float | None
    churn: float | None
    repeat_rate: float | None
    purchase_frequency: float | None
    average_order_value: dict[str, int]
    revenue_total: int
    money_without_rate: dict[str, Waiting]
    customer_lifetime_months: float | None


class Sales(msgspec.Struct, frozen=True):
    """Counted purchases as columns: customer (from 0, -1 for a guest), ordinal day, net in minor units, currency.

    `worth` is the net in the currency reported in, -1 while there is no rate for it.
    """

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    value: NDArray[np.int64]
    currency: NDArray[np.str_]
    worth: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, int, int, str]], worth: Sequence[int] | None = None) -> "Sales":
        """From (customer, day, value, currency) of each counted order, worth its value if nothing else is said."""
        names, days, values, currencies = zip(*rows, strict=True) if rows else ((), (), (), ())
        numbers = np.unique(np.array(["", *names], dtype=str), return_inverse=True)[1]
        value = np.array(values, dtype=np.int64)
        known = value if worth is None else np.array(worth, dtype=np.int64)
        return cls(numbers[1:] - 1, np.array(days, dtype=np.int64), value, np.array(currencies), known)

    @property
    def known(self) -> "Sales":
        """Those of customers we know."""
        return self.chosen(self.customer >= 0)

    def chosen(self, rows: NDArray[np.bool]) -> "Sales":
        """Some of them."""
        return Sales(self.customer[rows], self.day[rows], self.value[rows], self.currency[rows], self.worth[rows])


def by_month(sales: Sales, today: int) -> list[Month]:
    """Every month from the first purchase to the one of `today` (shop-local ordinal), oldest first."""
    if not len(sales.day):
        return []
    known = sales.known
    people = int(known.customer.max(initial=-1)) + 1
    first = np.full(people, np.iinfo(np.int64).max)
    np.minimum.at(first, known.customer, known.day)
    second = np.full(people, np.iinfo(np.int64).max)
    again = known.day > first[known.customer]
    np.minimum.at(second, known.customer[again], known.day[again])
    spans = _months(int(sales.day.min()), today)
    return [_month(sales, first, second, start, min(end, today + 1)) for start, end in spans]


def _months(first_day: int, today: int) -> Iterator[tuple[int, int]]:
    start = date.fromordinal(first_day).replace(day=1)
    while start.toordinal() <= today:
        following = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        yield start.toordinal(), following.toordinal()
        start = following


def _month(sales: Sales, first: NDArray[np.int64], second: NDArray[np.int64], start: int, end: int) -> Month:
    """Figures of the days from start up to, not including, end."""
    known = sales.known
    before, after = (_bought(known, len(first), day - WINDOW, day) for day in (start, end))
    inside = (sales.day >= start) & (sales.day < end)
    orders, money, waiting = int(inside.sum()), _money(sales, inside), _money(sales, inside & (sales.worth < 0))
    newcomers = int(((first >= start) & (first < end)).sum())
    churn = _percent(int((before & ~after).sum()), int(before.sum()))
    ours = (known.day >= start) & (known.day < end)
    buyers = len(np.unique(known.customer[ours]))
    return Month(
        month=date.fromordinal(start).strftime("%Y-%m"),
        customers_at_start=int(before.sum()),
        customers_at_end=int(after.sum()),
        new_customers=newcomers,
        orders=orders,
        guest_orders=_percent(orders - int(ours.sum()), orders),
        revenue={currency: total for currency, (total, _) in money.items()},
        retention=_percent(int(after.sum()) - newcomers, int(before.sum())),
        churn=churn,
        repeat_rate=_percent(int((second < end).sum()), int((first < end).sum())),
        purchase_frequency=int(ours.sum()) / buyers if buyers else None,
        average_order_value={currency: (2 * total + many) // (2 * many) for currency, (total, many) in money.items()},
        revenue_total=int(np.maximum(sales.worth[inside], 0).sum()),
        money_without_rate={currency: Waiting(many, total) for currency, (total, many) in waiting.items()},
        customer_lifetime_months=100.0 / churn if churn else None,
    )


def _money(sales: Sales, inside: NDArray[np.bool]) -> dict[str, tuple[int, int]]:
    """Net in minor units, and number of orders, by currency."""
    names, place = np.unique(sales.currency[inside], return_inverse=True)
    values = sales.value[inside]
    return {str(name): (int(values[place == at].sum()), int((place == at).sum())) for at, name in enumerate(names)}


def _bought(sales: Sales, people: int, start: int, end: int) -> NDArray[np.bool]:
    found = np.zeros(people, dtype=bool)
    found[sales.customer[(sales.day >= start) & (sales.day < end)]] = True
    return found


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None
