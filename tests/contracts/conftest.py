"""Both modes by one fixture."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import A_MOMENT
from tests.contracts.till import Till, create_tables
from tests.world import World, a_world


@pytest.fixture
def till() -> Till:
    """A till that works."""
    return Till()


@pytest.fixture
async def world(till: Till, mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[World]:
    """A world with the till as its only service."""
    async with a_world([till.service()], tmp_path, prepare=create_tables, **mode) as made:
        made.clock.move_to(A_MOMENT)
        yield made
