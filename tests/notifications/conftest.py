"""A post office: notifications alone, in either mode, on a Tuesday at noon."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.notifications.service import notifications
from tests.notifications.office import Office
from tests.real.smtp import SmtpServer
from tests.world import a_world


@pytest.fixture
async def office(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Office]:
    """The office with a maildir, in both modes."""
    async with a_world([notifications], tmp_path, **mode) as world:
        yield await Office(world).opened()


@pytest.fixture
async def village_office(tmp_path: Path) -> AsyncIterator[Office]:
    """The office with a maildir, embedded only."""
    async with a_world([notifications], tmp_path) as world:
        yield await Office(world).opened()


@pytest.fixture
async def smtp_office(tmp_path: Path, smtp_server: SmtpServer) -> AsyncIterator[Office]:
    """The office that sends by a real SMTP server, embedded only."""
    url = f"smtp://127.0.0.1:{smtp_server.port}"
    async with a_world([notifications], tmp_path, smtp_url=url) as world:
        yield await Office(world).opened()
