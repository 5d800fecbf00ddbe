"""A refund in parts takes back exactly what the same refund at once does."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.system.properties.seen import difference, orders_of, scores_of, wallet_of
from tests.system.properties.stories import GivenBack
from tests.system.properties.telling import Person, Told
from tests.system.properties.town import Town

PARTS_AT = 60


async def end_as_at_once(town: Town, sales: list[GivenBack], wait_days: int, pauses: set[int]) -> None:
    """Two people buy the same; what one gives back at once the other does in parts, after points were spent."""
    start = town.noon()
    await town.points_wait(wait_days)
    pairs = [(town.newcomer(), town.newcomer()) for _ in sales]
    everybody = [(person, sale) for pair, sale in zip(pairs, sales, strict=True) for person in pair]
    town.world.clock.move_to(start + timedelta(minutes=PARTS_AT))
    bought = [(person, [Told(sale.via, "order", amount=sale.price)]) for person, sale in everybody]
    await town.hears(bought, start, set())
    for person, sale in everybody:
        await _gives_and_spends(town, person, sale)
    town.world.clock.move_to(start + timedelta(minutes=2 * PARTS_AT))
    await _gives_back(town, pairs, sales, start, pauses)
    for (in_parts, at_once), sale in zip(pairs, sales, strict=True):
        seen, other = await _seen(town, in_parts), await _seen(town, at_once)
        unlike = difference(seen, other)
        assert not unlike, f"{sale} ends in {unlike}"
        assert seen["owns"] == await _owed(town, sale, in_parts), sale


async def _gives_and_spends(town: Town, person: Person, sale: GivenBack) -> None:
    customer = await town.id_of(person)
    if sale.gift:
        gift = {"customer": customer, "points": sale.gift, "reason": "a birthday", "actor": "ops"}
        await town.calls("/v1/transactions", gift)
    available = (await town.asks(f"/v1/members/{customer}"))["available"]
    if spent := available * sale.spent_percent // 100:
        await town.calls("/v1/redemptions", {"customer": customer, "points": spent})


async def _gives_back(
    town: Town, pairs: Sequence[tuple[Person, Person]], sales: Sequence[GivenBack], start: datetime, pauses: set[int]
) -> None:
    stories = []
    for (in_parts, at_once), sale in zip(pairs, sales, strict=True):
        parts = [
            Told(sale.via, "refund", PARTS_AT + number, amount=part, of=number)
            for number, part in enumerate(sale.parts, start=1)
        ]
        stories += [(in_parts, parts), (at_once, [Told(sale.via, "refund", PARTS_AT, amount=sum(sale.parts), of=1)])]
    await town.hears(stories, start, pauses)


async def _seen(town: Town, person: Person) -> dict[str, Any]:
    wallet = await wallet_of(town, person)
    owns = wallet["available"] + wallet["pending"]
    orders, scores = await orders_of(town, person), await scores_of(town, person)
    return {"orders": orders, "wallet": wallet, "scores": scores, "owns": owns}


async def _owed(town: Town, sale: GivenBack, person: Person) -> int:
    """A point for each full 1.00 of net that was kept, and what was given by hand, less what was spent."""
    (order,) = await orders_of(town, person)
    spent: int = (await wallet_of(town, person))["redeemed"]
    kept: int = sum(line["net"] - line["refunded"] for line in order["lines"])
    return kept // 100 + sale.gift - spent
