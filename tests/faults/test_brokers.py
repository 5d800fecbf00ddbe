"""Three brokers, of which one is killed under load and comes back: nobody outside notices, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.days import MOMENTS
from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.order import told_in_order
from tests.faults.trade import Trade
from tests.real.cluster import catches_up, copies_of
from tests.real.kafka import Broker, three_brokers
from tests.real.processes import NotToBeHad

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.postgres]
GOES_ON_SECONDS = 60.0
CAUGHT_UP_SECONDS = 60.0


@pytest.fixture
def brokers() -> Iterator[list[Broker]]:
    """A cluster of three."""
    try:
        with three_brokers() as made:
            yield made
    except NotToBeHad as why:
        pytest.skip(str(why))


@pytest.fixture
def house(brokers: list[Broker], postgres_names: str, tmp_path: Path) -> Iterator[House]:
    """An installation on PostgreSQL that keeps three copies of each topic."""
    addresses = ",".join(broker.address for broker in brokers)
    mode: dict[str, Any] = {"database_url": postgres_names, "bus_url": f"kafka://{addresses}", "topic_replication": "3"}
    made = House(tmp_path, mode)
    try:
        yield made
    finally:
        made.pull_down()


def test_one_broker_of_three_dies_under_load_and_comes_back(
    house: House, brokers: list[Broker], tmp_path: Path
) -> None:
    """Without it all goes on; once it has caught up, another may die."""
    address = house.settings.bus_url.removeprefix("kafka://")
    with played(house, Mailbox(tmp_path), Trade(11, customers=24)) as drama:
        ours = {name: copies for name, copies in copies_of(address).items() if not name.startswith("__")}
        assert {(copies.kept, copies.needed) for copies in ours.values()} == {(3, 2)}
        load = Load(house, drama.trade.stories, patient=False).begin(6)
        load.reach(20)
        brokers[0].kill()
        load.release(6)
        load.reach(60)
        drama.inside.drains(GOES_ON_SECONDS)
        brokers[0].start()
        catches_up(address, CAUGHT_UP_SECONDS)
        brokers[1].kill()
        load.finish()
        drama.inside.drains(GOES_ON_SECONDS)
        brokers[1].start()
        drama.inside.rests()
        for moment in MOMENTS:
            drama.comes_to(moment)
        drama.redeems()
        drama.ends_well()
        told_in_order(drama.inside)
