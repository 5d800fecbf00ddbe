"""The thinnest road: a native purchase comes in, an order goes out."""

from shared.events.ingest import OrderPaid, OrderPlaced
from tests.ingest.shop import Shop
from tests.world import World

TEA = {"product": "tea", "title": "Tea", "quantity": 2, "price": 1250}


async def test_a_native_purchase_becomes_a_placed_and_a_paid_order(world: World, shop: Shop) -> None:
    data = {"order_id": "1001", "customer": {"id": "7", "email": "Ana@Example.com"}, "lines": [TEA], "shipping": 300}
    answer = await shop.native("purchase", data)
    assert answer.status_code == 200, answer.text
    await world.settle()
    placed, paid = await world.facts("ingest", OrderPlaced, OrderPaid)
    assert isinstance(placed, OrderPlaced)
    assert isinstance(paid, OrderPaid)
    assert (placed.order.revision, paid.order.revision) == (1, 2)
    assert [(line.id, line.net) for line in paid.order.lines] == [("1", 2500), ("shipping", 300)]
    assert (paid.order.total, paid.order.currency, paid.order.exponent) == (2800, "EUR", 2)
    assert (await world.verify()).balanced
