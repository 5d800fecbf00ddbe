"""Loyalty's service in either mode."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.loyalty.service import loyalty
from tests.loyalty.till import Till
from tests.world import a_world


@pytest.fixture
async def till(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Till]:
    """A shop whose loyalty runs, in both modes."""
    async with a_world([loyalty], tmp_path, **mode) as world:
        yield await Till(world).opened()


@pytest.fixture
async def corner_till(tmp_path: Path) -> AsyncIterator[Till]:
    """The same, embedded only: for what has no other side in the other mode."""
    async with a_world([loyalty], tmp_path) as world:
        yield await Till(world).opened()
