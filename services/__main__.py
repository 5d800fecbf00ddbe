"""The one program: `python -m services <command>`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any

import msgspec
import uvloop

from shared import catalogue, migrate
from shared.bus import connect as bus_connect
from shared.events import CATALOGUE
from shared.observe import configure_logs
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings

NAMES = ("ingest", "loyalty", "scoring", "notifications")
Command = Callable[[argparse.Namespace, Settings], Coroutine[Any, Any, int]]


def load(names: Sequence[str]) -> list[Service]:
    """The named services, only those imported; all of them when none is named."""
    return [getattr(import_module(f"services.{name}.service"), name) for name in names or NAMES]


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Serve the named services (all by default) until SIGTERM."""
    services = load(args.services)
    if not settings.database_url:
        await _migrate(services, settings)
    runtime = Runtime(services, settings)
    if not settings.database_url and "ingest" in {service.name for service in services}:
        await _first_store(settings)
    print(
        f"querencia: {', '.join(s.name for s in services)} on http://{settings.http_host}:{settings.http_port}",
        flush=True,
    )
    await runtime.run()
    return 0


async def _first_store(settings: Settings) -> None:
    setup = import_module("services.ingest.setup")
    for line in await setup.first_store(settings):
        print(line, flush=True)


async def _migrate(services: Sequence[Service], settings: Settings) -> None:
    for service in services:
        await migrate.upgrade(service, settings.database_of(service.name))


async def migrate_all(args: argparse.Namespace, settings: Settings) -> int:
    """Bring the databases of the named services up to date."""
    await _migrate(load(args.services), settings)
    return 0


async def write_migration(args: argparse.Namespace, settings: Settings) -> int:
    """Write the migration from the database as it is to the models (for developers)."""
    (service,) = load([args.service])
    await migrate.write_revision(service, settings.database_of(service.name), args.message)
    return 0


async def topics(_args: argparse.Namespace, settings: Settings) -> int:
    """Create the topics that are missing."""
    bus = bus_connect.connect(settings)
    await bus.open()
    await bus.make_topics(sorted({fact.topic for fact in CATALOGUE.values()}))
    await bus.close()
    return 0


async def verify(args: argparse.Namespace, settings: Settings) -> int:
    """Prove the books: one JSON line; exit 0 balanced, 1 not, 2 not quiet."""
    runtime = Runtime(load([]), settings)
    await runtime.open()
    try:
        verdict = await runtime.verify(wait_seconds=args.wait)
    finally:
        await runtime.close()
    print(msgspec.json.encode(verdict).decode(), flush=True)
    return 0 if verdict.balanced else 1 if verdict.quiet else 2


async def redrive(args: argparse.Namespace, settings: Settings) -> int:
    """Run parked work again, in order, each customer's line until it fails."""
    runtime = Runtime(load(args.services), settings)
    await runtime.open()
    try:
        done = {one.service.name: await one.redrive() for one in runtime.running}
    finally:
        await runtime.close()
    print(msgspec.json.encode(done).decode(), flush=True)
    return 0


async def write_catalogue(args: argparse.Namespace, _settings: Settings) -> int:
    """Write docs/events from the facts; with --check only tell whether it is stale."""
    return catalogue.write_events(check=args.check)


async def write_topology(args: argparse.Namespace, _settings: Settings) -> int:
    """Write docs/topology.md from the services; with --check only tell whether it is stale."""
    return catalogue.write_topology(load([]), check=args.check)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, act in (("run", run), ("migrate", migrate_all), ("redrive", redrive)):
        sub = commands.add_parser(name, help=act.__doc__)
        sub.add_argument("services", nargs="*", choices=[[], *NAMES], metavar="service", help="default: all")
        sub.set_defaults(act=act)
    checked = commands.add_parser("verify", help=verify.__doc__)
    checked.add_argument("--wait", type=float, default=60.0, help="machine seconds to wait for quiet")
    checked.set_defaults(act=verify)
    commands.add_parser("topics", help=topics.__doc__).set_defaults(act=topics)
    made = commands.add_parser("migration", help=write_migration.__doc__)
    made.add_argument("service", choices=NAMES)
    made.add_argument("message")
    made.set_defaults(act=write_migration)
    for name, generate in (("catalogue", write_catalogue), ("topology", write_topology)):
        sub = commands.add_parser(name, help=generate.__doc__)
        sub.add_argument("--check", action="store_true")
        sub.set_defaults(act=generate)
    return top


def main() -> int:
    """Run one command."""
    args = parser().parse_args()
    settings = Settings()
    configure_logs(settings.log_level)
    act: Command = args.act
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(act(args, settings))


def _loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


if __name__ == "__main__":
    sys.exit(main())
