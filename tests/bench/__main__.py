"""`python -m tests.bench [part…]`: measure on real servers of its own, write docs/performance.*; 1: a floor missed."""

import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable

from tests.bench import accept, consumers, intake, road
from tests.bench.figures import Figure, write
from tests.real.kafka import start_broker
from tests.real.postgres import Postgres, start_postgres

Part = Callable[[Postgres, int, str], Awaitable[list[Figure]]]
PARTS: dict[str, Part] = {
    "accept": lambda server, pid, _kafka: accept.measure(server, pid),
    "intake": lambda server, pid, _kafka: intake.measure(server, pid),
    "consumers": lambda server, pid, _kafka: consumers.measure(server, pid),
    "road": lambda server, _pid, kafka: road.measure(server, kafka),
}


async def _measured(names: list[str], server: Postgres, kafka: str) -> list[Figure]:
    pid = int((server.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
    figures: list[Figure] = []
    for name in names:
        found = await PARTS[name](server, pid, kafka)
        for each in found:
            print(f"{each.figure} [{each.mode}]: {each.value:,g} {each.unit}, ratio {each.ratio:g}", flush=True)
        figures += found
    return figures


def main(names: list[str]) -> int:
    """Start PostgreSQL and Kafka, measure the named parts (all by default), write the pages when all were measured."""
    server, broker = start_postgres(), start_broker()
    try:
        figures = asyncio.run(_measured(names or list(PARTS), server, broker.address))
    finally:
        broker.remove()
        server.remove()
    if not names:
        write(
            figures,
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        )
    missed = [each for each in figures if not each.holds]
    for each in missed:
        print(f"missed: {each.figure} [{each.mode}]: {each.ratio} against {each.floor}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
