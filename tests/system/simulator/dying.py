"""Processes that die all the time, in one process: any commit, publication or offset may fail, before or after."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from shared.bus import connect as bus_connect
from shared.bus.base import Bus
from shared.clock import Clock
from shared.db import connect as db_connect
from shared.db.base import Database
from shared.errors import Unavailable
from shared.service import Service
from shared.settings import Settings
from tests.faults.deadly import DeadlyBus, DeadlyDatabase, Fuse

SELDOM = 0.1


class Mood:
    """Whether work fails at a point that it passes; who meets that knows no more than after a crash."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self.bad = False
        self.died_at: Counter[str] = Counter()

    def pass_by(self, point: str) -> None:
        """Raise Unavailable now and then while the mood is bad."""
        if self.bad and self._dice.random() < SELDOM:
            self.died_at[point] += 1
            raise Unavailable(f"died at {point}")

    def adapters(
        self, services: Sequence[Service], settings: Settings, clock: Clock
    ) -> tuple[Bus, Mapping[str, Database]]:
        """Databases and bus that fail in this mood."""
        fuse = cast(Fuse, self)
        databases = {
            one.name: DeadlyDatabase(db_connect(settings.database_of(one.name), clock), one.name, fuse)
            for one in services
        }
        return cast(Bus, DeadlyBus(bus_connect.connect(settings), fuse)), databases
