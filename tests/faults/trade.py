"""What customers do in a seeded run, and what must have come of it, worked out from the posts alone."""

import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.faults.house import House

Story = list[dict[str, Any]]


class Sale(msgspec.Struct):
    """An order as it must stand in the end; minor units."""

    customer: str
    net: int
    refunded: int = 0

    @property
    def points(self) -> int:
        """A point for each full 1.00 that was kept."""
        return (self.net - self.refunded) // 100


class Trade:
    """Stories of customers: carts, purchases, refunds, some told twice; too small for a tier that multiplies points."""

    def __init__(self, seed: int, *, customers: int, orders: int) -> None:
        self._dice = random.Random(seed)
        self.sales: dict[str, Sale] = {}
        self.stories: dict[str, Story] = defaultdict(list)
        for number in range(orders):
            self._buy(f"c{self._dice.randrange(customers)}", f"o{number}")

    def _buy(self, customer: str, order: str) -> None:
        story, dice = self.stories[customer], self._dice
        who = {"id": customer, "email": f"{customer}@shop.example"}
        lines: list[dict[str, Any]] = [
            {"id": str(at), "product": f"p{dice.randrange(9)}", "price": dice.randrange(50, 900), "quantity": 2}
            for at in range(dice.randrange(1, 4))
        ]
        sale = self.sales[order] = Sale(customer, sum(2 * line["price"] for line in lines))
        if dice.random() < 0.5:
            cart = [{"product": line["product"], "price": line["price"], "quantity": 2} for line in lines]
            story.append(_event(f"{order}-cart", "cart", {"cart_id": f"k{order}", "customer": who, "lines": cart}))
        story.append(
            _event(order, "purchase", {"order_id": order, "customer": who, "lines": lines, "cart_id": f"k{order}"})
        )
        if dice.random() < 0.3:
            sale.refunded = dice.randrange(1, sale.net)
            refund = {"order_id": order, "refund_id": f"r{order}", "amount": sale.refunded}
            story.append(_event(f"{order}-refund", "refund", refund))
        if dice.random() < 0.5:
            story.append(dice.choice(story))

    def posts(self) -> Iterator[dict[str, Any]]:
        """All events, each story in its order, stories mixed."""
        left = {customer: list(story) for customer, story in self.stories.items()}
        while left:
            customer = self._dice.choice(sorted(left))
            yield left[customer].pop(0)
            if not left[customer]:
                del left[customer]

    def points(self) -> dict[str, int]:
        """What every customer must own in the end."""
        found: dict[str, int] = defaultdict(int)
        for sale in self.sales.values():
            found[sale.customer] += sale.points
        return dict(found)


def _event(name: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": name, "source": "till", "type": kind, "data": data}


class Load:
    """Clients that post a trade, each customer's events one after the other, until all is answered."""

    def __init__(self, house: House, trade: Trade, clients: int = 3) -> None:
        self._house = house
        self.answered = 0
        self.failures: list[BaseException] = []
        self._count = threading.Condition()
        stories = sorted(trade.stories.items())
        self._threads = [
            threading.Thread(target=self._post, args=([story for _, story in stories[at::clients]],))
            for at in range(clients)
        ]

    def _post(self, stories: list[Story]) -> None:
        try:
            for story in stories:
                for event in story:
                    verdict = self._house.call("POST", "/v1/events", json=event).json()["verdicts"][0]["verdict"]
                    assert verdict in {"accepted", "duplicate"}, verdict
                    with self._count:
                        self.answered += 1
                        self._count.notify_all()
        except BaseException as failure:  # noqa: BLE001 - told by finish()
            self.failures.append(failure)

    def begin(self) -> None:
        """Start posting."""
        for thread in self._threads:
            thread.start()

    def reach(self, number: int) -> None:
        """Wait until so many events are answered."""
        with self._count:
            assert self._count.wait_for(lambda: self.answered >= number or self.failures, 90), "no progress"

    def finish(self) -> None:
        """Wait for the last answer."""
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures


def settled(house: House, trade: Trade) -> None:
    """The books balance and are not empty, and orders and points are what the posts say, each once."""
    books = house.verify()
    counters = books["ingest"]["counters"]
    assert counters["deliveries:accepted"] == len({event["id"] for story in trade.stories.values() for event in story})
    assert counters["published:ingest:order.paid"] == len(trade.sales)
    assert books["loyalty"]["counters"]["effected:ingest:order.paid"] == len(trade.sales)
    orders = list(house.pages("/v1/orders"))
    assert {order["order"]["external_id"]: _kept(order["order"]) for order in orders} == {
        name: sale.net - sale.refunded for name, sale in trade.sales.items()
    }
    assert len(orders) == len(trade.sales)
    assert points_of(house) == trade.points()


def _kept(order: dict[str, Any]) -> int:
    return sum(line["net"] - line["refunded"] for line in order["lines"])


def points_of(house: House) -> dict[str, int]:
    """What every customer owns, by the store's own id."""
    found = {}
    for customer in house.pages("/v1/customers"):
        for key in customer["keys"]:
            if key["kind"] == "customer":
                member = house.call("GET", f"/v1/members/{customer['id']}", service="loyalty").json()
                found[key["value"]] = member["available"] + member["pending"] - member["debt"]
    return found
