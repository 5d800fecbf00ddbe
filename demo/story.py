"""The generator: visits, carts, refunds, sign-ups and complaints around the real purchases, all from one seed."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from demo import webhooks
from demo.history import Purchase
from demo.inputs import Call, Input
from demo.people import Person, person
from demo.records import SHELF, Pieces, basket, disc

ZONE = ZoneInfo("America/New_York")
HOURS = (12, 19)
LULL = timedelta(days=75)
HESITATED_PERCENT = 20
ABANDONED_PER_DAY = 1 / 90
REFUNDED_PERCENT = 5
COMPLAINT_PERCENT = 2
ONLY_SIGN_UP_PERCENT = 8
FIRST_PROSPECT = 100_000
SHOP_URL = "https://shop.example.com"


class Story:
    """All that happens in the shop, person by person; what lies after `until` has not happened yet."""

    def __init__(self, bought: Sequence[Purchase], seed: int, until: datetime) -> None:
        self._bought = bought
        self._seed = seed
        self._until = until

    def inputs(self) -> list[Input]:
        """Everything in the order in which it happened."""
        told = [one for one in (*self._customers(), *self._prospects()) if one.at <= self._until]
        return sorted(told, key=lambda one: one.at)

    def _customers(self) -> Iterator[Input]:
        by_customer = sorted(self._bought, key=lambda purchase: (purchase.customer, purchase))
        for customer, mine in groupby(by_customer, lambda purchase: purchase.customer):
            yield from Life(person(int(customer), self._seed), self._seed).lived(list(mine))

    def _prospects(self) -> Iterator[Input]:
        first, last = min(self._bought).day, max(self._bought).day
        people = len({purchase.customer for purchase in self._bought})
        for number in range(FIRST_PROSPECT, FIRST_PROSPECT + people * ONLY_SIGN_UP_PERCENT // 100):
            life = Life(person(number, self._seed), self._seed)
            yield from life.looked_around(first, last)


class Life:
    """One person's dealings with the shop."""

    def __init__(self, who: Person, seed: int) -> None:
        self._who = who
        self._dice = random.Random(f"{seed}:life:{who.id}")
        self._carts = 0

    def lived(self, bought: Sequence[Purchase]) -> Iterator[Input]:
        """From the sign-up before the first purchase to the last abandoned cart."""
        moments = sorted(self._moment(purchase.day) for purchase in bought)
        yield from self._signed_up(moments[0] - timedelta(minutes=4))
        for place, (purchase, at) in enumerate(zip(bought, moments, strict=True)):
            hesitated = place > 0 and self._dice.randrange(100) < HESITATED_PERCENT
            filled = at - timedelta(days=hesitated * self._dice.choice((1, 1, 2)), seconds=100)
            yield from self._purchase(purchase, filled, at)
        yield from self._abandoned(bought)

    def looked_around(self, first: date, last: date) -> Iterator[Input]:
        """Signed up and never bought."""
        at = self._moment(first + timedelta(days=self._dice.randrange(max(1, (last - first).days))))
        yield from self._signed_up(at)
        if self._dice.random() < 0.5:
            yield from self._cart(at + timedelta(seconds=30), self._picked())

    def _moment(self, day: date) -> datetime:
        """A moment of that day, in the first minutes of one of the shop's busy hours."""
        busy = datetime.combine(day, time(self._dice.choice(HOURS)), ZONE)
        return (busy + timedelta(seconds=self._dice.randrange(300, 600))).astimezone(UTC)

    def _signed_up(self, at: datetime) -> Iterator[Input]:
        who = self._who
        yield self._call(at - timedelta(seconds=40), "page", "Home", {"url": SHOP_URL}, known=False)
        yield self._call(at - timedelta(seconds=20), "identify", "", {**self._traits(), "createdAt": at.isoformat()})
        yield webhooks.customer("customers/create", who, at, subscribed=who.subscribed)
        yield self._call(at, "track", "Signed Up", {"method": "email"})

    def _traits(self) -> dict[str, Any]:
        who = self._who
        return {
            "email": who.email,
            "firstName": who.first_name,
            "lastName": who.last_name,
            "locale": who.language,
            "timezone": who.zone,
            "country": who.country,
        }

    def _purchase(self, purchase: Purchase, filled: datetime, at: datetime) -> Iterator[Input]:
        pieces = basket(purchase.pieces, purchase.cents, self._dice)
        yield from self._cart(filled, pieces)
        yield webhooks.order(purchase.number, self._who, at, pieces, self._token)
        if self._dice.randrange(100) < REFUNDED_PERCENT:
            yield from self._refunded(purchase, pieces)
        if self._dice.randrange(100) < COMPLAINT_PERCENT:
            yield from self._complained(purchase)

    @property
    def _token(self) -> str:
        return f"cart-{self._who.id}-{self._carts}"

    def _cart(self, at: datetime, pieces: Sequence[Pieces]) -> Iterator[Input]:
        """A visit that fills a new cart."""
        self._carts += 1
        for place, part in enumerate(pieces[:4]):
            seen = at + timedelta(seconds=20 * place)
            yield self._call(seen, "track", "Product Viewed", self._product(part))
            added = {**self._product(part), "quantity": part.quantity, "cart_id": self._token}
            restore = f"{SHOP_URL}/cart/{self._token}"
            yield self._call(seen + timedelta(seconds=8), "track", "Product Added", {**added, "restore_url": restore})

    def _product(self, part: Pieces) -> dict[str, Any]:
        return {
            "product_id": str(part.disc.number),
            "sku": f"CD-{part.disc.number}",
            "name": part.disc.title,
            "category": part.disc.genre,
            "price": part.cents / 100,
            "currency": webhooks.CURRENCY,
            "url": f"{SHOP_URL}/records/{part.disc.number}",
        }

    def _picked(self) -> list[Pieces]:
        return [
            Pieces(disc(self._dice.randrange(SHELF)), 1, self._dice.choice((999, 1299, 1499, 1799)))
            for _ in range(self._dice.choice((1, 1, 2, 3)))
        ]

    def _abandoned(self, bought: Sequence[Purchase]) -> Iterator[Input]:
        """Carts that nobody bought, now and then until some weeks after the last purchase."""
        day, last = bought[0].day, bought[-1].day + LULL
        while (day := day + timedelta(days=1 + int(self._dice.expovariate(ABANDONED_PER_DAY)))) <= last:
            yield from self._cart(self._moment(day), self._picked())

    def _refunded(self, purchase: Purchase, pieces: Sequence[Pieces]) -> Iterator[Input]:
        places = range(len(pieces)) if self._dice.random() < 0.5 else range(1)
        at = self._moment(purchase.day + timedelta(days=self._dice.randrange(3, 20)))
        yield webhooks.refund(purchase.number, self._who, at, pieces, places)

    def _complained(self, purchase: Purchase) -> Iterator[Input]:
        """A complaint about an order; who complains wants no more advertising."""
        at = self._moment(purchase.day + timedelta(days=self._dice.randrange(1, 10)))
        about = {"order_id": str(webhooks.order_id(purchase.number)), "reason": self._dice.choice(("late", "broken"))}
        yield self._call(at, "track", "Complaint Made", about)
        later = at + timedelta(seconds=30)
        yield webhooks.customer("customers/update", self._who, later, subscribed=False)

    def _call(self, at: datetime, kind: str, event: str, content: dict[str, Any], *, known: bool = True) -> Call:
        user = str(self._who.id) if known else ""
        return Call(at, kind, f"visitor-{self._who.id}", user, event, content)
