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


@pytest.fixture
async def trader(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Trader]:
    """Who trades with everything behind it."""
    async with a_world([ingest, loyalty, scoring, notifications], tmp_path, **mode) as world:
        yield await Trader(world).opened()
