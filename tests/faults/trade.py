"""What customers do in a seeded run, through every channel, and what must have come of it, worked out from that alone.

Business time starts at `OPENING`. Purchases lie in the hours before it, one hour for each group of customers, so that
their points mature one group after the other; abandoned carts in the hour before it, ten minutes for each group.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tests.faults.posts import Post

OPENING = datetime(2026, 3, 3, 18, tzinfo=UTC)
GROUPS = 6
FIRST_CART = OPENING - timedelta(minutes=58)
FIRST_HOUR = OPENING - timedelta(hours=17)  # so long ago that nobody is reminded of the carts of that time
RICH = 70_000  # minor units: enough for the next tier

Story = list[Post]


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
    """The stories of so many customers; the first is rich and rises a tier, of all others points are plain."""

    def __init__(self, seed: int, customers: int) -> None:
        self.seed = seed
        self.customers = customers
        self.households = 0
        self.decisions: list[Story] = []
        self.forgotten: list[str] = []
        self.sales: dict[str, Sale] = {}
        self.stories: list[Story] = []
        self.rich = "c0"
        for number in range(customers):
            teller = Teller(random.Random(f"{seed}-{number}"), number, self.sales)
            self.stories.append(teller.story(rich=number == 0))
        self.redemptions = [[post] for number in range(customers) for post in self._redemptions(number)]

    def _redemptions(self, number: int) -> list[Post]:
        """Half of what a customer has at the end; every third one tries to spend two thirds twice, side by side."""
        owner = f"c{number}"
        points = sum(sale.points for sale in self.sales.values() if sale.customer == owner)
        if points < 3:
            return []
        if number % 3 == 0:
            return [Post("redeem", f"race-{owner}-{at}", points * 2 // 3 + 1, owner) for at in (0, 1)]
        return [Post("redeem", f"half-{owner}", points // 2, owner)]

    @property
    def abandoned(self) -> list[str]:
        """The carts that nobody has bought."""
        told = {post.name for story in self.stories for post in story}
        carts = {name.partition("-")[0] for name in told if name.startswith("last")}
        bought = {
            post.body["data"].get("cart_id")
            for story in self.stories
            for post in story
            if post.kind == "native" and post.body["type"] == "purchase"
        }
        return sorted(carts - bought)

    @property
    def posts(self) -> int:
        """How many there are, repeats included."""
        return sum(len(story) for story in self.stories)

    def points(self) -> dict[str, int]:
        """What every customer but the rich one, and those about whom something is decided, must have been given."""
        found: dict[str, int] = {}
        for sale in self.sales.values():
            if sale.customer != self.rich and sale.customer.startswith("c"):
                found[sale.customer] = found.get(sale.customer, 0) + sale.points
        return found


def shares(stories: list[Story], parts: int) -> list[list[Story]]:
    """Stories in so many shares, each with customers of every kind."""
    return [stories[at::parts] for at in range(parts)]


def purchase_of(cart: str, at: datetime) -> Post:
    """A purchase that ends an abandoned cart."""
    who = {"id": cart.replace("last", "c")}
    lines = [{"product": "tea", "price": 900}]
    data = {"order_id": f"bought-{cart}", "customer": who, "lines": lines, "cart_id": cart}
    return native(f"bought-{cart}", "purchase", at, data)


def native(name: str, kind: str, at: datetime, data: dict[str, Any]) -> Post:
    """A native event."""
    body = {"specversion": "1.0", "id": name, "source": "till", "type": kind, "time": at.isoformat(), "data": data}
    return Post("native", name, body)


class Teller:
    """Tells one customer's story; every fourth shops on Shopify, every fourth is known by two names at first."""

    def __init__(self, dice: random.Random, number: int, sales: dict[str, Sale]) -> None:
        self._dice = dice
        self._number = number
        self._sales = sales
        self._group = number % GROUPS
        self.who = {"id": f"c{number}", "email": f"c{number}@shop.example", "first_name": "Ana"}

    def story(self, *, rich: bool) -> Story:
        """All posts in their order: out of order and repeated here and there."""
        told = [self._consent()]
        if rich:
            told += self._native_order(RICH)
        kinds = {2: self._shopify_order, 3: self._two_names}
        for _ in range(self._dice.randrange(1, 4)):
            told += kinds.get(self._number % 4, self._native_order)()
        told += self._abandoned()
        return list(self._repeated(told))

    def _repeated(self, told: Story) -> Iterator[Post]:
        for at, post in enumerate(told):
            yield post
            if self._dice.random() < 0.25:
                yield told[self._dice.randrange(at + 1)]

    def _hour(self) -> datetime:
        return FIRST_HOUR + timedelta(hours=self._group, minutes=self._dice.randrange(40))

    def _consent(self) -> Post:
        data = {"customer": self.who, "channel": "email", "granted": True}
        return native(f"{self.who['id']}-consent", "consent", FIRST_HOUR - timedelta(hours=1), data)

    def _order(self, price: int = 0) -> tuple[str, list[dict[str, Any]], Sale]:
        name = f"{1000 + self._number}{len(self._sales):05}"
        prices = [price] if price else [self._dice.randrange(50, 900) for _ in range(self._dice.randrange(1, 4))]
        lines = [
            {"id": str(at), "product": f"p{self._dice.randrange(9)}", "price": one, "quantity": 2}
            for at, one in enumerate(prices, start=1)
        ]
        sale = self._sales[name] = Sale(self.who["id"], sum(2 * one for one in prices))
        return name, lines, sale

    def _native_order(self, price: int = 0) -> Story:
        """A cart, a purchase, perhaps a refund: now and then the refund comes first, or the cart last."""
        name, lines, sale = self._order(price)
        at = self._hour()
        cart = [{"product": line["product"], "price": line["price"], "quantity": 2} for line in lines]
        told = [
            native(f"{name}-cart", "cart", at, {"cart_id": f"k{name}", "customer": self.who, "lines": cart}),
            native(
                name,
                "purchase",
                at + timedelta(minutes=5),
                {"order_id": name, "customer": self.who, "lines": lines, "cart_id": f"k{name}"},
            ),
        ]
        if not price and self._dice.random() < 0.4:
            sale.refunded = self._dice.randrange(1, sale.net)
            refund = {"order_id": name, "refund_id": f"r{name}", "amount": sale.refunded}
            told.append(native(f"{name}-refund", "refund", at + timedelta(minutes=10), refund))
        if self._dice.random() < 0.4:
            self._dice.shuffle(told)
        return told

    def _shopify_order(self) -> Story:
        """Create, paid, perhaps a refund, and an older state that comes late."""
        name, lines, sale = self._order()
        at = self._hour()
        buyer = {"id": self.who["id"], "email": self.who["email"]}
        items = [
            {"id": line["id"], "product_id": line["product"], "quantity": 2, "price": f"{line['price'] / 100:.2f}"}
            for line in lines
        ]
        order = {
            "id": name,
            "currency": "EUR",
            "created_at": at.isoformat(),
            "total_price": f"{sale.net / 100:.2f}",
            "line_items": items,
            "customer": buyer,
        }
        pending = {**order, "updated_at": at.isoformat(), "financial_status": "pending"}
        paid_at = (at + timedelta(minutes=5)).isoformat()
        paid = {**order, "updated_at": paid_at, "processed_at": paid_at, "financial_status": "paid"}
        told = [
            Post("shopify", f"{name}-create", pending, "orders/create"),
            Post("shopify", f"{name}-paid", paid, "orders/paid"),
        ]
        if self._dice.random() < 0.4:
            sale.refunded = self._dice.randrange(1, sale.net)
            moved = [{"amount": f"{sale.refunded / 100:.2f}", "kind": "refund", "status": "success"}]
            when = (at + timedelta(minutes=10)).isoformat()
            refund = {"id": f"r{name}", "order_id": name, "created_at": when, "transactions": moved}
            told.append(Post("shopify", f"{name}-refund", refund, "refunds/create"))
        told.append(Post("shopify", f"{name}-late", pending, "orders/updated"))
        return told

    def _two_names(self) -> Story:
        """Bought as a guest by another address and under the own id, until an event says that both are one."""
        name, lines, _ = self._order()
        other, more, _ = self._order()
        at, guest = self._hour(), {"email": f"guest{name}@shop.example"}
        traits = {"userId": self.who["id"], "timestamp": at.isoformat()}
        return [
            native(name, "purchase", at, {"order_id": name, "customer": guest, "lines": lines}),
            native(other, "purchase", at, {"order_id": other, "customer": self.who, "lines": more}),
            native(f"{name}-one", "customer", at, {"customer": {"id": self.who["id"], **guest}}),
            Post("segment", f"{name}-identify", [{"type": "identify", **traits, "traits": {"firstName": "Bea"}}]),
        ]

    def _abandoned(self) -> Story:
        """Products put into a cart in the last hour, by an event or by Segment's calls; some carts are bought."""
        at = FIRST_CART + timedelta(minutes=10 * self._group, seconds=self._dice.randrange(60))
        cart, lines = f"last{self._number}", [{"product": "tea", "title": "Tea", "price": 900, "quantity": 1}]
        if self._number % 4 == 3:
            told = [self._added(cart, at)]
        else:
            content = {"cart_id": cart, "customer": self.who, "lines": lines}
            old = {**content, "lines": [{**lines[0], "quantity": 3}]}
            told = [
                native(f"{cart}-now", "cart", at, content),
                native(f"{cart}-before", "cart", at - timedelta(minutes=3), old),
            ]
        if self._dice.random() < 0.25:
            name, bought, _ = self._order()
            data = {"order_id": name, "customer": self.who, "lines": bought, "cart_id": cart}
            told.append(native(name, "purchase", at + timedelta(minutes=1), data))
        return told

    def _added(self, cart: str, at: datetime) -> Post:
        """A visitor without a name fills a cart and then says who it is."""
        visitor, stamp = {"anonymousId": f"a{self._number}"}, {"timestamp": at.isoformat()}
        product = {"cart_id": cart, "product_id": "tea", "name": "Tea", "price": 9, "quantity": 1}
        return Post(
            "segment",
            f"{cart}-batch",
            [
                {"type": "track", "event": "Product Added", **visitor, **stamp, "properties": product},
                {"type": "page", "name": "Cart", **visitor, **stamp},
                {"type": "identify", "userId": self.who["id"], **visitor, **stamp, "traits": {"firstName": "Bea"}},
            ],
        )
