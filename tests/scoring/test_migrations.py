"""What the code reads and writes is what the migrations make."""

from services.scoring.service import scoring
from shared import migrate
from tests.scoring.shop import Shop


async def test_models_equal_migrations(shop: Shop) -> None:
    assert await migrate.differences(scoring, shop.world.settings.database_of("scoring")) == []
