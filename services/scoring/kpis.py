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
    "purchase_frequency": "orders of the month per customer who bought in it",
    "average_order_value": "net of the month's orders, refunds taken off, per order; minor units",
    "customer_lifetime_months": "100 / churn: months until a customer is lost at this month's pace",
}


class Month(msgspec.Struct, frozen=True):
    """The figures of one calendar month; None where nothing is there to divide by."""

    month: str
    customers_at_start: int
    customers_at_end: int
    new_customers: int
    orders: int
    revenue: int
    retention: float | None
    churn: float | None
    repeat_rate: float | None
    purchase_frequency: float | None
    average_order_value: int | None
    customer_lifetime_months: float | None


class Sales(msgspec.Struct, frozen=True):
    """Counted purchases as columns: customer (numbered from 0), shop-local ordinal day, net minor units."""

    customer: NDArray[np.int64]
    day: NDArray[np.int64]
    value: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[tuple[str, int, int]]) -> "Sales":
        """From (customer, day, value) of each counted order."""
        numbers = np.unique([row[0] for row in rows], return_inverse=True)[1]
        return cls(numbers, np.array([row[1] for row in rows]), np.array([row[2] for row in rows]))


def by_month(sales: Sales, today: int) -> list[Month]:
    """Every month from the first purchase to the one of `today` (shop-local ordinal), oldest first."""
    if not len(sales.day):
        return []
    people = int(sales.customer.max()) + 1
    first = np.full(people, np.iinfo(np.int64).max)
    np.minimum.at(first, sales.customer, sales.day)
    second = np.full(people, np.iinfo(np.int64).max)
    again = sales.day > first[sales.customer]
    np.minimum.at(second, sales.customer[again], sales.day[again])
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
    before, after = (_bought(sales, len(first), day - WINDOW, day) for day in (start, end))
    inside = (sales.day >= start) & (sales.day < end)
    orders, revenue = int(inside.sum()), int(sales.value[inside].sum())
    newcomers = int(((first >= start) & (first < end)).sum())
    churn = _percent(int((before & ~after).sum()), int(before.sum()))
    buyers = len(np.unique(sales.customer[inside]))
    return Month(
        month=date.fromordinal(start).strftime("%Y-%m"),
        customers_at_start=int(before.sum()),
        customers_at_end=int(after.sum()),
        new_customers=newcomers,
        orders=orders,
        revenue=revenue,
        retention=_percent(int(after.sum()) - newcomers, int(before.sum())),
        churn=churn,
        repeat_rate=_percent(int((second < end).sum()), int((first < end).sum())),
        purchase_frequency=orders / buyers if buyers else None,
        average_order_value=(2 * revenue + orders) // (2 * orders) if orders else None,
        customer_lifetime_months=100.0 / churn if churn else None,
    )


def _bought(sales: Sales, people: int, start: int, end: int) -> NDArray[np.bool]:
    found = np.zeros(people, dtype=bool)
    found[sales.customer[(sales.day >= start) & (sales.day < end)]] = True
    return found


def _percent(part: int, whole: int) -> float | None:
    return 100.0 * part / whole if whole else None
