"""A shop in Madrid whose scoring runs in either mode."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.scoring.service import scoring
from tests.scoring.shop import Shop
from tests.world import a_world

MODES = [
    "embedded",
    pytest.param("distributed", marks=[pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("real")]),
]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where databases and bus are: SQLite and log, or PostgreSQL and Kafka."""
    if request.param == "embedded":
        return {}
    return {
        "database_url": request.getfixturevalue("postgres_url"),
        "bus_url": f"kafka://{request.getfixturevalue('kafka_address')}",
        "topic_prefix": request.getfixturevalue("topic_prefix"),
    }


@pytest.fixture
async def shop(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Shop]:
    """The shop, opened, in both modes."""
    async with a_world([scoring], tmp_path, **mode) as world:
        yield await Shop(world).opened()


@pytest.fixture
async def corner_shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """The shop, opened, embedded only: for what has no other side in the other mode."""
    async with a_world([scoring], tmp_path) as world:
        yield await Shop(world).opened()
