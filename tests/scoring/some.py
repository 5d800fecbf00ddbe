"""Small made-up purchases and habits for the scoring tests."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from services.scoring.features import Habit, Purchase, fold
from services.scoring.scores import Cuts, Served
from shared.events.ingest import Line, Order, OrderStatus

TODAY = 738_000
MBG_OF_CDNOW = (0.525, 43.3, 0.891, 1.614)
SERVED = Served(
    version=3,
    rhythm=MBG_OF_CDNOW,
    status="fitted",
    purses={"EUR": (6.25, 3.74, 1544.0)},
    cuts=Cuts(
        recency=(30.0, 60.0, 120.0, 240.0),
        frequency=(1.0, 1.0, 2.0, 4.0),
        spend={"EUR": (1000.0, 3000.0, 6000.0, 12_000.0)},
        vip={"EUR": 30_000},
    ),
)

purchases = st.builds(
    Purchase,
    order=st.integers(0, 6).map("ord_{}".format),
    revision=st.integers(1, 4),
    store=st.sampled_from(["sto_a", "sto_b"]),
    zone=st.just("UTC"),
    day=st.integers(TODAY - 20, TODAY),
    currency=st.sampled_from(["EUR", "USD"]),
    value=st.integers(0, 5000),
    counts=st.booleans(),
)


def a_purchase(day: int, order: str = "", value: int = 3500, currency: str = "EUR") -> Purchase:
    """One that counts, on a day before (negative) or after TODAY."""
    return Purchase(order or f"ord_{day}", 1, "sto_a", "UTC", TODAY + day, currency, value, counts=True)


def habit_of(*days: int, value: int = 3500) -> Habit:
    """The habit of who bought on these days before TODAY."""
    return fold(a_purchase(day, value=value) for day in days)


def an_order(
    status: OrderStatus = OrderStatus.PAID, *, paid: bool = True, test: bool = False, refunded: int = 0
) -> Order:
    """A canonical order of two goods and shipping, placed late in the evening of UTC."""
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    lines = (
        Line(id="1", net=3000, refunded=refunded),
        Line(id="2", net=500),
        Line(id="3", kind="shipping", net=400),
    )
    return Order(
        id="ord_1",
        external_id="1",
        revision=2,
        status=status,
        currency="EUR",
        lines=lines,
        test=test,
        placed_at=moment,
        paid_at=moment if paid else None,
        cancelled_at=moment if status is OrderStatus.CANCELLED else None,
        first_recorded=moment,
    )
