"""Company figures by month, against small cases worked out by hand and a slow reading of the definitions."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.kpis import DEFINITIONS, WINDOW, Month, Sales, by_month


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_no_sales_no_months() -> None:
    assert by_month(Sales.of([]), day("2026-03-01")) == []


def test_a_shop_of_three_by_hand() -> None:
    rows = [
        ("ana", day("2026-01-05"), 1000, "EUR"),
        ("ana", day("2026-07-20"), 2000, "EUR"),
        ("ben", day("2026-01-31"), 501, "EUR"),
        ("cleo", day("2026-07-02"), 3000, "EUR"),
        ("cleo", day("2026-07-02"), 1000, "EUR"),
    ]
    months = {month.month: month for month in by_month(Sales.of(rows), day("2026-08-15"))}
    assert list(months) == [f"2026-0{number}" for number in range(1, 9)]
    january, july = months["2026-01"], months["2026-07"]
    assert (january.customers_at_start, january.new_customers, january.retention, january.churn) == (0, 2, None, None)
    assert (january.average_order_value, january.repeat_rate) == ({"EUR": 751}, 0.0)
    assert january.customer_lifetime_months is None
    assert (july.customers_at_start, july.customers_at_end, july.new_customers) == (2, 2, 1)
    assert (july.retention, july.churn, july.customer_lifetime_months) == (50.0, 50.0, 2.0)
    assert (july.orders, july.revenue, july.purchase_frequency) == (3, {"EUR": 6000}, 1.5)
    assert july.repeat_rate == pytest.approx(100 / 3)
    assert months["2026-08"].orders == 0
    assert months["2026-08"].average_order_value == {}


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.integers(day("2025-01-01"), day("2026-03-31")), st.integers(0, 900)),
        min_size=1,
    )
)
def test_retention_as_the_definitions_read(rows: list[tuple[str, int, int]]) -> None:
    end = day("2026-04-01")
    last = by_month(Sales.of([(*row, "EUR") for row in rows]), end - 1)[-1]
    start = day("2026-03-01")
    at_start = {who for who, when, _ in rows if start - WINDOW <= when < start}
    at_end = {who for who, when, _ in rows if end - WINDOW <= when < end}
    new = {who for who, _, _ in rows} - {who for who, when, _ in rows if when < start}
    assert last.month == "2026-03"
    assert (last.customers_at_start, last.customers_at_end, last.new_customers) == tuple(
        map(len, (at_start, at_end, new))
    )
    expected = (len(at_end) - len(new)) / len(at_start) * 100 if at_start else None
    assert last.retention == pytest.approx(expected)


def test_currencies_are_not_added_up() -> None:
    rows = [
        ("ana", day("2026-01-05"), 1000, "EUR"),
        ("ana", day("2026-01-06"), 301, "USD"),
        ("b", day("2026-01-07"), 2, "USD"),
    ]
    (january,) = by_month(Sales.of(rows), day("2026-01-31"))
    assert january.revenue == {"EUR": 1000, "USD": 303}
    assert january.average_order_value == {"EUR": 1000, "USD": 152}


def test_orders_of_guests_are_revenue_but_nobodys() -> None:
    rows = [
        ("ana", day("2026-01-05"), 1000, "EUR"),
        ("", day("2026-01-06"), 500, "EUR"),
        ("", day("2026-01-07"), 1, "EUR"),
    ]
    (january,) = by_month(Sales.of(rows), day("2026-01-31"))
    assert (january.orders, january.revenue, january.new_customers) == (3, {"EUR": 1501}, 1)
    assert (january.repeat_rate, january.purchase_frequency) == (0.0, 1.0)
    assert january.guest_orders == pytest.approx(200 / 3)
    (alone,) = by_month(Sales.of(rows[1:]), day("2026-01-31"))
    assert (alone.customers_at_end, alone.purchase_frequency, alone.guest_orders) == (0, None, 100.0)


def test_each_figure_has_its_definition() -> None:
    assert set(DEFINITIONS) == set(Month.__struct_fields__) - {"month", "orders"}


def test_the_page_says_what_the_figures_say() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text()
    for name, text in DEFINITIONS.items():
        assert f"| `{name}` | {text} |" in page
