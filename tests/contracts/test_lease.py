"""The relay's lease on a SQLite file: the dead are succeeded at once, the living never."""

from pathlib import Path

from shared.bus.log import LogBus
from shared.clock import Clock
from shared.db.sqlite import Sqlite
from shared.relay import Relay
from tests.contracts.till import Till, create_tables


async def test_a_dead_process_on_a_file_is_succeeded_at_once_and_a_living_one_never(till: Till, tmp_path: Path) -> None:
    service, clock, bus = till.service(), Clock(), LogBus(str(tmp_path / "bus.db"))
    file = str(tmp_path / "loyalty.db")
    await create_tables(service, f"sqlite:///{file}")
    dead, living, later = (Sqlite(file, clock) for _ in range(3))
    await dead.open()
    assert await Relay(service, dead, bus, clock, "dead").hold()
    await living.open()
    assert not await Relay(service, living, bus, clock, "living").hold()
    await dead.close()  # as the system does for who is killed: its lease stays
    assert not await Relay(service, living, bus, clock, "living").hold()
    await later.open()
    assert not await Relay(service, later, bus, clock, "later").hold(), "it does not know whose lease it is"
    await living.close()
    await later.close()
    await later.open()
    assert await Relay(service, later, bus, clock, "later").hold()
    await later.close()
