"""What the public APIs tell of a person, without ids and without what depends on when we heard of it."""

import asyncio
from collections import Counter
from typing import Any

from tests.system.properties.telling import Person
from tests.system.properties.town import Town

ONLY_IF_LATE = frozenset(
    {"purchased", "late_purchase", "empty_cart"}
)  # of what was begun before it was heard to be over


async def orders_of(town: Town, person: Person) -> list[dict[str, Any]]:
    """Somebody's canonical orders, by number."""
    rows = await town.lists("/v1/orders", customer=await town.id_of(person))
    return sorted((_order(person, row["order"]) for row in rows), key=lambda order: int(order["number"]))


_OF_ORDER = ("status", "total", "refunded", "placed_at", "paid_at", "cancelled_at", "lane", "test", "currency")
_OF_LINE = ("id", "kind", "product", "quantity", "gross", "net", "tax", "refunded", "refunded_quantity")


def _order(person: Person, order: dict[str, Any]) -> dict[str, Any]:
    lines = [{name: line.get(name) for name in _OF_LINE} for line in order["lines"]]
    number = int(order["external_id"]) - person.base
    return {"number": number, "cart": bool(order.get("cart")), **{k: order.get(k) for k in _OF_ORDER}, "lines": lines}


_OF_MEMBER = ("tier", "available", "pending", "held", "debt", "earned", "redeemed", "qualifying")


async def wallet_of(town: Town, person: Person) -> dict[str, Any]:
    """Somebody's balances, tier and open lots, after checking them against the legs of all transactions."""
    customer = await town.id_of(person)
    member, lots, transactions = await asyncio.gather(
        town.asks(f"/v1/members/{customer}"),
        town.lists(f"/v1/members/{customer}/lots"),
        town.lists(f"/v1/members/{customer}/transactions"),
    )
    _adds_up(member, lots, transactions)
    open_lots = sorted((lot["state"], lot["remaining"], lot["matures_at"][:10]) for lot in lots)
    beside = {one["name"]: one["available"] + one["pending"] for one in member["wallets"]}
    return {**{name: member[name] for name in _OF_MEMBER}, "lots": open_lots, **beside}


def _adds_up(member: dict[str, Any], lots: list[dict[str, Any]], transactions: list[dict[str, Any]]) -> None:
    """Every transaction sums to zero, every balance is the sum of its legs, every lot what its legs leave in it."""
    sides: Counter[str] = Counter()
    held_by: Counter[str] = Counter()
    for transaction in transactions:
        legs = transaction["entries"]
        assert sum(leg["points"] for leg in legs) == 0, transaction
        for leg in legs:
            sides[leg["side"]] += leg["points"]
            if leg["side"] in {"pending", "available"} and leg["lot"]:
                held_by[leg["lot"]] += leg["points"]
    for side in ("pending", "available", "held"):
        assert member[side] == sides[side], f"{side}: {member} is not {sides}"
    assert min(held_by.values(), default=0) >= 0, held_by
    assert {lot["id"]: lot["remaining"] for lot in lots} == {lot: left for lot, left in held_by.items() if left}
    ready = sum(lot["remaining"] for lot in lots if lot["state"] == "available")
    assert member["debt"] >= 0
    assert not (member["debt"] and ready), "debt is paid before anything can be spent"
    assert ready - member["debt"] == member["available"]


async def scores_of(town: Town, person: Person) -> dict[str, Any] | None:
    """Somebody's scores with all their reasons, None for who has bought nothing."""
    path = f"/v1/scores/{await town.id_of(person)}"
    answer = await town.world.get(path, headers=town.shop.server)
    if answer.status_code == 404 or answer.json()["scores"] is None:
        return None
    return {name: value for name, value in answer.json().items() if name not in {"customer", "segment_since"}}


def difference(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two views of the same things do not agree on."""
    return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


async def mails_of(town: Town, person: Person) -> list[dict[str, Any]]:
    """Somebody's messages, the newest first."""
    return await town.lists("/v1/messages", customer=await town.id_of(person))


async def decided_on(town: Town, person: Person, *journeys: str) -> tuple[Counter[tuple[str, ...]], set[str]]:
    """Which messages of some journeys there are and what became of them, and the reasons why others are not."""
    customer = await town.id_of(person)
    messages = await town.lists("/v1/messages", customer=customer)
    decisions = await town.lists("/v1/decisions", customer=customer)
    sent: Counter[tuple[str, ...]] = Counter(
        (one["journey"], one["step"], one["state"]) for one in messages if one["journey"] in journeys
    )
    return sent, {one["reason"] for one in decisions if one["journey"] in journeys} - ONLY_IF_LATE
