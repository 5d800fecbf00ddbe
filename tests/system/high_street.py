"""A trader who knows the installation by its HTTP alone: what happened goes in, what came of it is asked for."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self

import httpx

from tests.ingest.shop import Shop, open_shop
from tests.world import World

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Trader:
    """One account with one store, its server key, and the customers who shop there under ids of the store."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._shop: Shop
        self._numbers = count(1)

    async def opened(self) -> Self:
        """Make the account and its store, on a Tuesday at noon."""
        self.world.clock.move_to(NOON)
        self._shop = await open_shop(self.world, name="Casa Querencia")
        return self

    def name_of(self, who: str) -> str:
        """How the API is told of a customer by the store's own id."""
        return f"ext:{self._shop.made.store}:{who}"

    async def tells(self, kind: str, **data: Any) -> None:
        """One native event of the store's server, which must be taken."""
        answer = await self._shop.native(kind, data)
        assert answer.json()["verdicts"][0]["verdict"] == "accepted", answer.text

    @property
    def browser_key(self) -> str:
        """The key that is in the pages of the store, for everybody to read."""
        return self._shop.made.browser_key

    async def browses(self, *messages: dict[str, Any]) -> httpx.Response:
        """Segment's calls as a browser sends them."""
        return await self._shop.segment(*messages, key=self.browser_key)

    async def sells(self, *customers: str, price: int = 2500) -> None:
        """Each of them buys tea now; price in minor units."""
        for who in customers:
            line = {"product": "tea", "title": "Tea", "quantity": 1, "price": price}
            await self.tells("purchase", order_id=f"{next(self._numbers)}", customer=person(who), lines=[line])

    async def sells_daily(self, *customers: str, days: int) -> None:
        """Each of them buys tea on so many days, today being the first."""
        for day in range(days):
            if day:
                self.later(days=1)
            await self.sells(*customers)
        await self.world.settle()

    async def asked_consent(self, *customers: str) -> None:
        """Each of them agrees to marketing by mail."""
        for who in customers:
            await self.tells("consent", customer=person(who), channel="email", granted=True)
        await self.world.settle()

    def later(self, **span: float) -> None:
        """Business time jumps; what fell due on the way is done at once when the world moves next."""
        self.world.clock.move_to(self.world.now + timedelta(**span))

    async def asks(self, path: str, *, by: str = "", **params: Any) -> Any:
        """GET by the server key or a given token; what it answers."""
        answer = await self.world.get(path, params=params, headers=self._headers(by))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def calls(self, path: str, body: Any, *, by: str = "", verb: str = "POST") -> httpx.Response:
        """An unsafe call by the server key or a given token, under an Idempotency-Key of its own."""
        headers = self._headers(by) | {"idempotency-key": f"call-{next(self._numbers)}"}
        return await self.world.http.request(verb, path, json=body, headers=headers)

    async def token_of(self, who: str) -> str:
        """A customer's own token."""
        answer = await self.calls("/v1/customer-tokens", {"customer": self.name_of(who)})
        return str(answer.json()["token"])

    def _headers(self, by: str) -> dict[str, str]:
        return {"authorization": f"Bearer {by}"} if by else self._shop.server


def person(who: str) -> dict[str, str]:
    """A customer as the store tells of them."""
    return {"id": who, "email": f"{who}@example.com", "first_name": who.title(), "locale": "en"}
