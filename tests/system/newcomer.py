"""What a newcomer has: `python -m services run` in an empty folder, with nothing set but the port."""

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.settings import Settings
from tests.faults.house import House
from tests.faults.inside import Inside


class Newcomer(House):
    """One true process that keeps everything in `./data` and makes its own secrets; at first by the command line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {}, forked=False)
        self.offset = noon(1) - datetime.now(UTC)

    def lives_on(self) -> None:
        """Start again and wait until nothing is on its way any more; from here on by the nursery, which is quicker."""
        self._forked = True
        self.start("ingest")
        self.rests()

    def environment(self, head: str = "ingest") -> dict[str, str]:
        """What a process is told: the port, and what time it is."""
        told = super().environment(head)
        return {name: value for name, value in told.items() if name not in {DATA_DIR, MASTER_KEY}}

    @property
    def settings(self) -> Settings:
        """What the process takes for granted."""
        return Settings(data_dir=self.folder / "data", _env_file=None)

    @property
    def said(self) -> str:
        """All that the process has written so far, in all its lives."""
        return self._log("ingest").read_text()

    @property
    def logged(self) -> list[dict[str, Any]]:
        """The lines of the log, fields by name; raises ValueError for one that is not JSON."""
        return [json.loads(line) for line in self.said.splitlines() if line and not _for_people(line)]

    def rests(self) -> None:
        """Wait until nothing is on its way any more."""
        with closing(Inside(self)) as inside:
            inside.rests()

    def files_that_spell(self, needles: Collection[bytes]) -> set[str]:
        """The files in the folder in whose bytes one of the needles stands, letters in a maildir as `maildir`."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        spelling = [path for path in found if any(needle in path.read_bytes().lower() for needle in needles)]
        return {"maildir" if "maildir" in path.parts else path.name for path in spelling}

    def bus_ages(self, by: timedelta) -> None:
        """Have everything on the bus been written so much longer ago (the bus keeps machine time)."""
        with closing(sqlite3.connect(self.settings.data_dir / "bus.db")) as bus, bus:
            bus.execute("UPDATE record SET at = at - ?", (by.total_seconds(),))


DATA_DIR, MASTER_KEY = "QUERENCIA_DATA_DIR", "QUERENCIA_MASTER_KEY"


def noon(days: int) -> datetime:
    """Noon in Madrid, more or less, so many days from now."""
    return datetime.now(UTC).replace(hour=11, minute=0, second=0, microsecond=0) + timedelta(days=days)


def _for_people(line: str) -> bool:
    return line.startswith(("querencia: ", "A store was made.", "  "))
