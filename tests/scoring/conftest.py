"""A shop in Madrid whose scoring runs in either mode."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.scoring.service import scoring
from tests.scoring.shop import Shop
from tests.world import a_world


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
