"""One town for all properties of a mode: a world with every service, opened once."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest

from tests.real.postgres import database_names
from tests.system.properties.proving import Prover
from tests.system.properties.town import Town, a_town

REAL = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("real-properties")]
MODES = [
    pytest.param(("embedded", 1.0), id="embedded", marks=pytest.mark.xdist_group("properties")),
    pytest.param(("distributed", 0.01), id="distributed", marks=REAL),
    pytest.param(("embedded", 8.0), id="embedded-at-depth", marks=pytest.mark.faults),
    pytest.param(("distributed", 2.0), id="distributed-at-depth", marks=[pytest.mark.faults, *REAL]),
]


@pytest.fixture(scope="module", params=MODES)
def lived_in(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, Town, float]]:
    """A town on SQLite and the log, or on PostgreSQL and Kafka, and how many rounds a property gets there."""
    mode, rounds = request.param
    given: dict[str, Any] = {}
    with ExitStack() as stack:
        if mode == "distributed":
            given["database_url"] = stack.enter_context(database_names(request.getfixturevalue("postgres_address")))
            given["bus_url"] = f"kafka://{request.getfixturevalue('kafka_address')}"
            given["topic_prefix"] = f"t{tmp_path_factory.mktemp('town').stat().st_ino}."
        runner = stack.enter_context(asyncio.Runner())
        up = AsyncExitStack()
        town = runner.run(up.enter_async_context(a_town(tmp_path_factory.mktemp("data"), **given)))
        yield runner, town, rounds
        runner.run(up.aclose())


@pytest.fixture
def prove(request: pytest.FixtureRequest, lived_in: tuple[asyncio.Runner, Town, float]) -> Prover:
    """What holds a property against many examples in a town."""
    runner, town, rounds = lived_in
    return Prover(runner, town, request.node.nodeid, rounds)
