"""A town: all services in one world, a shop that everybody buys in, and what its public APIs tell of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import httpx

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from tests.ingest.shop import Shop, open_shop
from tests.system.properties.telling import Person, Told, tell
from tests.world import World, a_world

BEGINNING = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
OPEN_FOR = timedelta(days=7)  # so that what was bought some days before a story is after the programme's start
PER_PAGE = 100
STAMPS = {"name": "stamps", "pending_days": 1, "debt": "allow_negative"}
STAMP = {"rule": "spend", "name": "stamp", "per": 700, "wallet": "stamps"}


@asynccontextmanager
async def a_town(folder: Path, **given: Any) -> AsyncIterator["Town"]:
    """A town with its shop open."""
    async with a_world([ingest, loyalty, scoring, notifications], folder, **given) as world:
        world.clock.move_to(BEGINNING)
        town = Town(world, await open_shop(world))
        await town.hears([(town.newcomer(), [Told("native", "order", amount=100)])], BEGINNING, set())
        world.clock.move_to(BEGINNING + OPEN_FOR)
        yield town


class Town:
    """Who comes in is new each time, so that one installation sees every example as if it were the first."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.world = world
        self.shop = shop
        self._numbers = count(1)

    def newcomer(self) -> Person:
        """Somebody whose numbers nobody had before."""
        return Person(next(self._numbers) * 1_000)

    async def hears(self, stories: Sequence[tuple[Person, Sequence[Told]]], start: datetime, rests: set[int]) -> None:
        """Everybody's first delivery, then everybody's second …; all is quiet after the steps in `rests`."""
        for step, row in enumerate(zip_longest(*(story for _, story in stories))):
            for (person, _), told in zip(stories, row, strict=True):
                if told is not None:
                    await tell(self.shop, person, start, told)
            if step in rests:
                await self.settles()
        await self.settles()

    async def settles(self) -> None:
        """All is quiet, and the books balance."""
        verdict = await self.world.verify()
        assert verdict.balanced, verdict.faults

    async def passes(self, **spans: float) -> None:
        """Business time passes, and the books balance after it."""
        await self.world.passes(**spans)
        await self.settles()

    def noon(self) -> datetime:
        """Business time goes on to the next noon of the shop, far from midnight and from quiet hours."""
        now = self.world.now
        noon = now.replace(hour=11, minute=0, second=0, microsecond=0)
        self.world.clock.move_to(noon if noon > now else noon + timedelta(days=1))
        return self.world.now

    async def asks(self, path: str, **params: Any) -> Any:
        """GET with the server key."""
        answer = await self.world.get(path, params=params, headers=self.shop.server)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def lists(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Everything in a list of the API."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self.asks(path, **params, **({"limit": PER_PAGE, "cursor": cursor} if cursor else {}))
            found += page["data"]
            cursor = page["next_cursor"]
        return found

    async def tries(self, path: str, body: Any = None, *, verb: str = "POST") -> httpx.Response:
        """An unsafe call under an Idempotency-Key of its own."""
        headers = {**self.shop.server, "idempotency-key": f"call-{next(self._numbers)}"}
        return await self.world.http.request(verb, path, json=body, headers=headers)

    async def calls(self, path: str, body: Any = None, *, verb: str = "POST") -> Any:
        """An unsafe call, which must succeed."""
        answer = await self.tries(path, body, verb=verb)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def points_wait(self, days: int) -> None:
        """From now on points become available so many days after the purchase, and there are stamps beside them."""
        (programme,) = await self.lists("/v1/programs")
        body = {name: value for name, value in programme.items() if name not in {"id", "version", "wallets", "rules"}}
        body |= {"pending_days": days, "wallets": [STAMPS], "rules": [programme["rules"][0], STAMP]}
        await self.calls(f"/v1/programs/{programme['id']}", body, verb="PUT")

    async def id_of(self, person: Person) -> str:
        """Our id of somebody, by the store's."""
        found = await self.asks(f"/v1/customers/ext:{self.shop.made.store}:{person.id}")
        return str(found["id"])
