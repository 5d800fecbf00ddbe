"""A shop in front of all services, in both modes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from tests.system.high_street import Trader
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
async def trader(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Trader]:
    """Who trades with everything behind it."""
    async with a_world([ingest, loyalty, scoring, notifications], tmp_path, **mode) as world:
        yield await Trader(world).opened()
