"""`python -m tests.faults.launch point:n [service…]`: the program, but it dies at the n-th passing of a point."""

import asyncio
import sys
from datetime import timedelta
from typing import cast

import uvloop

from services.__main__ import load
from shared import migrate
from shared.bus import connect as bus_connect
from shared.bus.base import Bus
from shared.clock import Clock
from shared.db import connect as db_connect
from shared.observe import configure_logs
from shared.runtime import Runtime
from shared.settings import Settings
from tests.faults.deadly import DeadlyBus, DeadlyDatabase, fuse_of


async def main(fuse_text: str, names: list[str]) -> None:
    """Serve the services on deadly adapters until SIGTERM, or until the fuse has burnt down."""
    settings = Settings()
    configure_logs(settings.log_level)
    clock, fuse, services = Clock(timedelta(seconds=settings.clock_offset_seconds)), fuse_of(fuse_text), load(names)
    if not settings.database_url:
        for service in services:
            await migrate.upgrade(service, settings.database_of(service.name))
    databases = {
        service.name: DeadlyDatabase(db_connect(settings.database_of(service.name), clock), service.name, fuse)
        for service in services
    }
    bus = cast(Bus, DeadlyBus(bus_connect.connect(settings), fuse))
    await Runtime(services, settings, clock=clock, bus=bus, databases=databases).run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], sys.argv[2:]))
