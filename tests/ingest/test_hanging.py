"""A database that hangs: whoever waits is told to come again, and coming again counts once."""

from sqlalchemy import text

from shared.db.base import Tx
from shared.events.ingest import OrderPaid
from tests.ingest.shop import Shop, shopify_order
from tests.world import World


async def test_no_answer_waits_for_a_database_that_hangs(world: World, shop: Shop) -> None:
    order = shopify_order(at=world.now)
    async with world.of("ingest").db.write() as tx:
        await _hold(tx)
        answer = await shop.shopify("orders/create", order, delivery="d1")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        if tx.dialect.name == "sqlite":  # at PostgreSQL the lock's own time is up as well, and the next waits anew
            assert (await shop.shopify("orders/create", order, delivery="d2")).status_code == 503
    while (await shop.shopify("orders/create", order, delivery="d1")).status_code == 503:
        pass
    await world.settle()
    assert len(await world.facts("ingest", OrderPaid)) == 1
    assert (await world.verify()).balanced


async def _hold(tx: Tx) -> None:
    """Let nobody else write deliveries; on SQLite the transaction alone does."""
    if tx.dialect.name == "postgresql":
        await tx.fetch(text("LOCK TABLE delivery IN EXCLUSIVE MODE"))
