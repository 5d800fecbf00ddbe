"""A short history told by dice: who buys, gives back in parts, spends, turns out to be somebody known."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
from sqlalchemy import select

from services.ingest import tables
from services.ingest.records import CustomerRow
from tests.ingest.shop import Shop
from tests.system.simulator.book import Owner, Sale
from tests.world import World

DEAREST = 7_000
TRIES = 200
Post = Callable[[], Awaitable[httpx.Response]]


class History:
    """Some deeds of three persons, delivered late, twice and out of order, between steps of loops that fail.

    Person `a` is known by the store's own id, the others are guests with an address. What their deeds must come to is
    entered in the model when they are thought up, whatever then becomes of their delivery.
    """

    def __init__(self, world: World, shop: Shop, seed: int) -> None:
        self._world = world
        self._shop = shop
        self._seed = seed
        self._dice = random.Random(seed)
        self._numbers = count()
        self._posts: list[Post] = []
        self.owners = {f"{seed}{letter}": Owner() for letter in "abc"}

    async def happens(self) -> None:
        """Buy, give back, turn out to be one person."""
        self._think_up()
        await self._delivers()

    async def goes_on(self) -> None:
        """Spend by calls that are repeated until they are answered; then give back some more."""
        people = await people_of(self._world)
        for who, owner in self.owners.items():
            if owner.sales:
                await self._spends(people[called(who)], owner, f"spend-{who}")
        for owner in self.owners.values():
            for sale in owner.sales.values():
                self._gives_back(sale, self._dice.choice((0, 0, 1)))
        await self._delivers()

    def _think_up(self) -> None:
        dice = self._dice
        for _ in range(dice.randrange(2, 6)):
            self._buys(dice.choice(list(self.owners)))
        for owner in self.owners.values():
            for sale in owner.sales.values():
                self._gives_back(sale, dice.choice((0, 0, 1, 2, 3)))
        if dice.random() < 0.5:
            self._is_also(dice.choice("bc"))

    def _buys(self, who: str) -> None:
        name, net = f"{self._seed}{next(self._numbers):03}", self._dice.randrange(100, DEAREST)
        at = self._world.now - timedelta(minutes=self._dice.randrange(2 * 24 * 60))
        self.owners[who].sales[name] = Sale(name, net, at, {})
        lines = [{"product": "tea", "price": net - net // 3}, {"product": "pot", "price": net // 3}]
        names = {"id": who} if who.endswith("a") else {"email": called(who)}
        self._posts.append(self._native("purchase", name, at, {"order_id": name, "customer": names, "lines": lines}))

    def _gives_back(self, sale: Sale, parts: int) -> None:
        for _ in range(parts):
            name, part = f"{sale.name}-{len(sale.refunds)}", self._dice.randrange(1, sale.net)
            sale.refunds[name] = part
            data = {"order_id": sale.name, "refund_id": name, "amount": part}
            self._posts.append(self._native("refund", name, self._world.now, data))

    def _is_also(self, letter: str) -> None:
        """Person `a` is heard to have the address by which a guest was known."""
        known, guest = f"{self._seed}a", f"{self._seed}{letter}"
        data = {"customer": {"id": known, "email": called(guest)}}
        self._posts.append(self._native("customer", f"{known}-is-{letter}", self._world.now, data))
        self.owners[known].joins(self.owners[guest])

    def _native(self, kind: str, name: str, at: datetime, data: dict[str, Any]) -> Post:
        return lambda: self._shop.native(kind, data, id=name, at=at)

    async def _delivers(self) -> None:
        """Post everything, some of it twice and mostly out of order, while loops move as they like."""
        dice = self._dice
        told = [post for post in self._posts for _ in range(1 + (dice.random() < 0.3))]
        if dice.random() < 0.8:
            dice.shuffle(told)
        for post in told:
            await _answered(post)
            await self._moves(dice.randrange(4))
        self._posts = []

    async def _moves(self, steps: int) -> None:
        loops = self._world.loops
        for name in self._dice.choices(list(loops), k=steps):
            await loops[name]()
        self._world.clock.move_to(self._world.now + timedelta(minutes=self._dice.choice((0, 0, 20))))

    async def _spends(self, customer: str, owner: Owner, key: str) -> None:
        member = await self._world.get(f"/v1/members/{customer}", headers=self._shop.server)
        points = member.json()["available"] * self._dice.randrange(0, 101) // 100
        if points > 0:
            headers, body = {**self._shop.server, "idempotency-key": key}, {"customer": customer, "points": points}
            await _answered(lambda: self._world.post("/v1/redemptions", body, headers=headers))
            owner.spent += points


async def _answered(post: Post) -> None:
    for _ in range(TRIES):
        answer = await post()
        if answer.status_code != 503:
            assert answer.status_code in {200, 201}, answer.text
            return
    raise AssertionError("never answered")


def called(who: str) -> str:
    """What ingest knows a person by."""
    return who if who.endswith("a") else f"{who}@example.com"


async def people_of(world: World) -> dict[str, str]:
    """Our customer ids by all that living customers are known by."""
    rows = [CustomerRow(*row) for row in await world.rows("ingest", select(*tables.customer.columns))]
    return {key.value: row.id for row in rows if not row.merged_into for key in row.keys}
