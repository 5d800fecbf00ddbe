"""The one program: `python -m services <command>`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from shared import books, catalogue, migrate
from shared import rebuild as rebuilding
from shared.bus import connect as bus_connect
from shared.events import CATALOGUE
from shared.observe import configure_logs
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings

CHOSEN_BY = ("verdict", "source", "kind", "since", "until")
STORE_OPTIONS = ("account_name", "name", "currency", "zone", "locale", "url", "email", "postal_address")
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
    if args.books:
        verdict = await books.verify_remote(args.books, load([]), wait_seconds=args.wait)
    else:
        verdict = await _verify_here(args, settings)
    print(msgspec.json.encode(verdict).decode(), flush=True)
    return 0 if verdict.balanced else 1 if verdict.quiet else 2


async def _verify_here(args: argparse.Namespace, settings: Settings) -> books.Verdict:
    runtime = Runtime(load([]), settings)
    await runtime.open()
    try:
        verdict = await runtime.verify(wait_seconds=args.wait)
        faults = await runtime.verify_deep() if args.deep and verdict.balanced else []
        return books.Verdict(not (faults or verdict.faults), verdict.quiet, verdict.faults + faults, verdict.books)
    finally:
        await runtime.close()


async def create_account(args: argparse.Namespace, settings: Settings) -> int:
    """Make an account with a first store, its keys printed once."""
    setup = import_module("services.ingest.setup")
    given = {name: value for name in STORE_OPTIONS if (value := getattr(args, name)) is not None}
    made = await setup.create_account(settings, setup.Wanted(**given))
    print("\n".join(setup.lines(made)), flush=True)
    return 0


def moment(text: str) -> datetime:
    """A time as RFC 3339 writes it; without a zone UTC is assumed."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


async def reprocess(args: argparse.Namespace, settings: Settings) -> int:
    """Put deliveries of one verdict before intake again, after a connector was mended."""
    again = import_module("services.ingest.reprocessing")
    given = {name: value for name in CHOSEN_BY if (value := getattr(args, name)) is not None}
    print(msgspec.json.encode({"deliveries": await again.reprocess(settings, **given)}).decode(), flush=True)
    return 0


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


async def rebuild(_args: argparse.Namespace, settings: Settings) -> int:
    """Make a service's rows anew out of the archive of facts; it may run meanwhile, and nothing is told."""
    runtime = Runtime(load(["ingest", "scoring"]), settings)
    await runtime.open()
    source, one = runtime.of("ingest"), runtime.of("scoring")
    try:
        done = await rebuilding.rebuild(one.service, one.db, one.writer, source.db, source.kernel)
    finally:
        await runtime.close()
    print(msgspec.json.encode({"facts": done}).decode(), flush=True)
    return 0


async def programme(args: argparse.Namespace, settings: Settings) -> int:
    """An account's loyalty programme as one YAML file: export, import, diff, try it; have past orders earn by it."""
    commands = import_module("services.loyalty.commands")
    if args.verb == "export":
        print(await commands.export(settings, args.account, args.version), end="", flush=True)
        return 0
    if args.verb == "credit":
        return await _credit(args, settings)
    text = args.file.read_text(encoding="utf-8")
    if args.verb == "diff":
        done = await commands.differ(settings, args.account, text)
    elif args.verb == "import":
        done = {"version": (await commands.put(settings, args.account, text)).version}
    elif args.verb == "impact":
        done = await commands.preview(settings, args.account, text)
    else:
        done = await commands.try_out(settings, args.account, text, args.since, args.until)
    print(msgspec.json.format(msgspec.json.encode(done)).decode(), flush=True)
    return 0


async def _credit(args: argparse.Namespace, settings: Settings) -> int:
    """Show what crediting past orders would give; with a reason and an actor, credit them."""
    commands = import_module("services.loyalty.commands")
    window = (args.account, args.since, args.until)
    if bool(args.reason) != bool(args.actor):
        print("crediting needs both --reason and --actor", file=sys.stderr)
        return 2
    if args.reason:
        (service,) = load(["loyalty"])
        note = commands.Note(args.reason, args.actor)
        done = await commands.credit(settings, service, *window, note)
    else:
        done = await commands.creditable(settings, *window)
    print(msgspec.json.format(msgspec.json.encode(done)).decode(), flush=True)
    return 0


async def demo(args: argparse.Namespace, _settings: Settings) -> int:
    """Replay real shop history into a fresh installation of its own and sum it up; exit code as `verify`."""
    from demo.stage import play  # noqa: PLC0415 - needs what only a development installation has

    return await play(load([]), customers=args.customers, serve=not args.no_serve, folder=args.folder)


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
    how = checked.add_mutually_exclusive_group()
    how.add_argument("--deep", action="store_true", help="work entitlements and tiers out anew from the archive")
    how.add_argument("--books", nargs="+", default=[], metavar="URL", help="each service's /books, to ask over HTTP")
    checked.set_defaults(act=verify)
    account = commands.add_parser("account", help="accounts").add_subparsers(dest="verb", required=True)
    created = account.add_parser("create", help=create_account.__doc__)
    for option in STORE_OPTIONS:
        created.add_argument("--" + option.replace("_", "-"))
    created.set_defaults(act=create_account)
    anew = commands.add_parser("rebuild", help=rebuild.__doc__)
    anew.add_argument("service", choices=("scoring",), help="the others are originals, and backed up")
    anew.set_defaults(act=rebuild)
    again = commands.add_parser("reprocess", help=reprocess.__doc__)
    again.add_argument("--verdict", default="quarantined", help="quarantined (default), parked, translated, …")
    again.add_argument("--source", help="only of this source, as `GET /v1/deliveries` names it")
    again.add_argument("--kind", help="only of this connector or dialect: shopify, segment, native, …")
    for bound in ("since", "until"):
        again.add_argument(f"--{bound}", type=moment, help=f"only recorded {bound} then (RFC 3339)")
    again.set_defaults(act=reprocess)
    played = commands.add_parser("demo", help=demo.__doc__)
    played.add_argument(
        "--customers", type=int, default=0, help="how many of the 23,570; default: what five minutes allow"
    )
    played.add_argument("--no-serve", action="store_true", help="end after the summary")
    played.add_argument("--folder", type=Path, default=Path("data-demo"), help="where its data go; emptied first")
    played.set_defaults(act=demo)
    _add_programme(commands)
    _add_making(commands)
    return top


def _add_programme(commands: Any) -> None:
    verbs = commands.add_parser("programme", help=programme.__doc__).add_subparsers(dest="verb", required=True)
    for verb, told in (
        ("export", "print it as YAML"),
        ("diff", "what a file would change"),
        ("import", "make a file the next version"),
        ("impact", "what a file would do to the tiers of the members there are"),
        ("try", "what a file would have cost on past orders, by segment"),
        ("credit", "have past orders earn that were not to; without --reason and --actor only say what it would give"),
    ):
        sub = verbs.add_parser(verb, help=told)
        sub.add_argument("account")
        sub.set_defaults(act=programme)
        if verb == "export":
            sub.add_argument("--version", type=int, default=0, help="default: the newest")
            continue
        if verb == "credit":
            sub.add_argument("--reason", default="", help="why, kept with every transaction")
            sub.add_argument("--actor", default="", help="who, kept there and in the audit log")
        else:
            sub.add_argument("file", type=Path)
        if verb in {"try", "credit"}:
            sub.add_argument("--since", type=_day, required=True, help="YYYY-MM-DD, UTC")
            sub.add_argument("--until", type=_day, default=_day("9999-01-01"), help="YYYY-MM-DD, UTC; not included")


def _day(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


def _add_making(commands: Any) -> None:
    """What prepares an installation or its documents."""
    commands.add_parser("topics", help=topics.__doc__).set_defaults(act=topics)
    made = commands.add_parser("migration", help=write_migration.__doc__)
    made.add_argument("service", choices=NAMES)
    made.add_argument("message")
    made.set_defaults(act=write_migration)
    for name, generate in (("catalogue", write_catalogue), ("topology", write_topology)):
        sub = commands.add_parser(name, help=generate.__doc__)
        sub.add_argument("--check", action="store_true")
        sub.set_defaults(act=generate)


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
