"""What was answered is on disk; SIGTERM ends a process in order, also without a broker."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.house import House
from tests.faults.trade import Load, Trade, settled
from tests.real.kafka import Broker, start_broker
from tests.real.processes import NotToBeHad


def test_what_was_answered_200_is_there_after_a_sigkill_at_once(house: House) -> None:
    trade = Trade(3, customers=3, orders=3)
    for event in trade.posts():
        assert house.call("POST", "/v1/events", json=event).status_code == 200
    house.kill("ingest")
    house.start("ingest")
    settled(house, trade)


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker that this test may stop."""
    try:
        made = start_broker()
    except NotToBeHad as why:
        pytest.skip(str(why))
    yield made
    made.remove()


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.xdist_group("real")
def test_sigterm_under_load_without_a_broker_ends_within_30_seconds(
    broker: Broker, postgres_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Kafka is away: posts are answered all the same, each process ends in time, and later everything arrives."""
    mode = {"database_url": postgres_url, "bus_url": f"kafka://{broker.address}", "topic_prefix": topic_prefix}
    house = House(tmp_path, mode)
    try:
        house.build()
        trade = Trade(5, customers=8, orders=30)
        load = Load(house, trade)
        broker.kill()
        load.begin()
        load.reach(5)
        took: dict[str, float] = {}
        stops = [threading.Thread(target=lambda h=head: took.update({h: house.stop(h, 40)})) for head in house.heads]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()
        assert set(took) == set(house.heads)
        assert max(took.values()) < 30, took
        broker.start()
        for head in house.heads:
            house.start(head)
        load.finish()
        settled(house, trade)
    finally:
        house.pull_down()
