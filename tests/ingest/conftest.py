"""A world with ingest in it, and a shop that posts to it, in both modes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from tests.ingest.shop import Shop, open_shop
from tests.world import World, a_world


@pytest.fixture
async def world(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[World]:
    """A world with ingest as its only service."""
    async with a_world([ingest], tmp_path, **mode) as made:
        yield made


@pytest.fixture
async def shop(world: World) -> Shop:
    """A shop with keys and a source, in that world."""
    return await open_shop(world)
