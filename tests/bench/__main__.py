"""`python -m tests.bench [part…]`: measure on real servers of its own, write docs/performance.*; 1: a floor missed."""

import asyncio
import os
import platform
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.bench import accept, busy, consumers, intake, members, memory, relay, road, scale, scoring_model
from tests.bench.figures import Figure, replaced, write
from tests.real.kafka import start_broker
from tests.real.postgres import Postgres, start_postgres

Part = Callable[["Servers"], Awaitable[list[Figure]]]


class Servers(NamedTuple):
    """The real servers of a run, and the processes whose CPU counts."""

    postgres: Postgres
    postgres_pid: int
    kafka: str
    kafka_pid: int


def _consumer(name: str) -> Part:
    return lambda servers: consumers.measure(name, servers.postgres, servers.postgres_pid)


PARTS: dict[str, Part] = {
    "accept": lambda servers: accept.measure(servers.postgres, servers.postgres_pid),
    "busy": lambda _servers: busy.measure(),
    "intake": lambda servers: intake.measure(servers.postgres, servers.postgres_pid),
    "relay": lambda servers: relay.measure(servers.postgres, servers.kafka),
    **{name.replace(" ", "_"): _consumer(name) for name in consumers.CASES},
    "scale": lambda servers: scale.measure(servers.postgres, servers.postgres_pid),
    "memory": lambda _servers: memory.measure(),
    "members": lambda servers: members.measure(servers.postgres, servers.postgres_pid),
    "road": lambda servers: road.measure(*servers),
    "scoring_model": lambda _servers: scoring_model.measure(),
}


async def _measured(names: list[str], servers: Servers) -> tuple[list[Figure], list[str]]:
    """The figures of these parts, and the parts that broke off: they cost the others nothing."""
    figures: list[Figure] = []
    broken: list[str] = []
    for name in names:
        try:
            found = await PARTS[name](servers)
        except Exception:  # noqa: BLE001 - told, and the command fails
            traceback.print_exc()
            broken.append(name)
            continue
        for each in found:
            ratio = "" if each.ratio is None else f", ratio {each.ratio:g}"
            print(f"{each.figure} [{each.mode}]: {each.value:,g} {each.unit}{ratio}", flush=True)
        figures += found
    return figures, broken


def main(names: list[str]) -> int:
    """Start PostgreSQL and Kafka, measure the named parts (all by default) and write the pages."""
    unknown = set(names) - set(PARTS)
    if unknown:
        print(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    server, broker = start_postgres(), start_broker()
    try:
        pid = int((server.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        servers = Servers(server, pid, broker.address, broker.pid)
        figures, broken = asyncio.run(_measured(names or list(PARTS), servers))
    finally:
        broker.remove()
        server.remove()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    write(replaced(figures) if names or broken else figures, machine)
    missed = [each for each in figures if not each.holds]
    for each in missed:
        print(f"missed: {each.figure} [{each.mode}]: {each.ratio} against {each.floor}", flush=True)
    for name in broken:
        print(f"broke off: {name}", flush=True)
    return 1 if missed or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
