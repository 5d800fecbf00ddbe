"""What `python -m services verify` says, and its exit code: 0 balanced, 1 not, 2 not quiet; here and over HTTP."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.house import House
from tests.faults.inside import Inside

AMISS = "INSERT INTO counter (name, writer, value) VALUES ('deliveries:received', 'nobody', 1)"
UNTAKEN = "UPDATE delivery SET verdict = ''"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation that has taken in one thing and is quiet."""
    made = House(tmp_path, {})
    try:
        made.build()
        who = {"id": "77", "email": "ana@example.com"}
        event = {"specversion": "1.0", "id": "one", "source": "shop", "type": "consent", "time": made.now.isoformat()}
        data = {"customer": who, "channel": "email", "granted": True}
        made.call("POST", "/v1/events", json={**event, "data": data})
        with closing(Inside(made)) as inside:
            inside.rests()
        yield made
    finally:
        made.pull_down()


def change(house: House, statement: str) -> None:
    with closing(sqlite3.connect(house.folder / "ingest.db", timeout=30)) as database, database:
        database.execute(statement)


def verdict(house: House, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of the command, and its last line."""
    code, said = house.command("verify", *words)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    assert set(found) == {"balanced", "quiet", "faults", "books"}
    assert set(found["books"]) == {"ingest", "loyalty", "scoring", "notifications"}
    return code, found


FAULT = ["deliveries: received 2, accepted + duplicate + rejected 1"]


def test_over_http_it_tells_balanced_from_not_and_from_not_yet(house: House) -> None:
    asked = ("--books", f"{house.address('ingest')}/books", "--wait")
    code, found = verdict(house, *asked, "0")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (0, True, True, [])
    change(house, AMISS)
    code, found = verdict(house, *asked, "0")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (2, False, False, FAULT)
    code, found = verdict(house, *asked, "60")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (1, False, True, FAULT)


def test_locally_it_tells_balanced_from_not_and_from_not_quiet(house: House) -> None:
    house.kill("ingest")
    code, found = verdict(house, "--wait", "0")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (0, True, True, [])
    change(house, AMISS)
    code, found = verdict(house, "--wait", "60")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (1, False, True, FAULT)
    change(house, UNTAKEN)
    code, found = verdict(house, "--wait", "0")
    assert (code, found["balanced"], found["quiet"], found["faults"]) == (2, False, False, FAULT)
