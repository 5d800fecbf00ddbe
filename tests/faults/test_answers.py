"""What was answered is on disk; SIGTERM ends a process in order, also without a broker."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.inside import Inside
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.trade import Trade
from tests.real.kafka import Broker, start_broker
from tests.real.processes import NotToBeHad


@pytest.fixture
def started(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """An installation whose one process, embedded, is started by the command line."""
    made = House(tmp_path, mode, forked=bool(mode))
    try:
        made.build()
        yield made
    finally:
        made.pull_down()


def test_what_was_answered_200_is_there_after_a_sigkill_at_once(started: House) -> None:
    house, trade = started, Trade(3, customers=4)
    Load(house, trade.stories).begin().finish()
    house.kill("ingest")
    house.start("ingest")
    with closing(Inside(house)) as inside:
        inside.rests()
    kept = {order["order"]["external_id"] for order in house.pages("/v1/orders")}
    assert kept == set(trade.sales)
    assert house.verify()["loyalty"]["counters"]["effected:ingest:order.paid"] == len(trade.sales)


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
def test_sigterm_under_load_without_a_broker_ends_within_30_seconds(
    broker: Broker, postgres_names: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Kafka is away: posts are answered all the same, each process ends in time, and later everything arrives."""
    mode = {"database_url": postgres_names, "bus_url": f"kafka://{broker.address}", "topic_prefix": topic_prefix}
    house = House(tmp_path, mode)
    try:
        with played(house, Mailbox(tmp_path), Trade(5, customers=12)) as drama:
            broker.kill()
            load = Load(house, drama.trade.stories).begin()
            load.reach(5)
            took: dict[str, float] = {}
            heads = house.heads
            stops = [threading.Thread(target=lambda h=head: took.update({h: house.stop(h, 40)})) for head in heads]
            for stop in stops:
                stop.start()
            for stop in stops:
                stop.join()
            assert set(took) == set(heads)
            assert max(took.values()) < 30, took
            broker.start()
            house.start(*house.heads)
            load.finish()
            drama.inside.rests(tried=True)
            drama.ends_well(moments=())
    finally:
        house.pull_down()
