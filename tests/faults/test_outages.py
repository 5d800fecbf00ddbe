"""Kafka, PostgreSQL, the disk or the mail server away for a while: nothing lost, nothing doubled, no mail too many."""

import asyncio
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from segment.analytics import Client

from shared.clock import Clock
from shared.db.postgres import Postgres as Database
from tests.faults.days import LAST_TRIES, MOMENTS
from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.order import told_in_order
from tests.faults.stream import Answer, Stream
from tests.faults.trade import OPENING, Trade, purchase_of
from tests.real.kafka import Broker, start_broker
from tests.real.postgres import Postgres, database_names, start_postgres
from tests.real.processes import NotToBeHad
from tests.real.smtp import Act, SmtpServer

IN_FULL = pytest.mark.faults
DISTRIBUTED = [pytest.mark.kafka, pytest.mark.postgres]
DRAINED_SECONDS = 60.0
AT_LENGTH_SECONDS = 10  # longer outages are timed too


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A broker that a test may stop."""
    try:
        made = start_broker()
    except NotToBeHad as why:
        pytest.skip(str(why))
    yield made
    made.remove()


@pytest.fixture
def server() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    try:
        made = start_postgres()
    except NotToBeHad as why:
        pytest.skip(str(why))
    yield made
    made.remove()


@pytest.mark.parametrize(
    ("seconds", "per_second"),
    [pytest.param(5, 50, marks=DISTRIBUTED), pytest.param(60, 200, marks=[IN_FULL, pytest.mark.alone, *DISTRIBUTED])],
)
def test_kafka_away_is_no_outage_and_no_cart_bought_meanwhile_is_reminded_of(
    broker: Broker, postgres_names: str, topic_prefix: str, tmp_path: Path, seconds: int, per_second: int
) -> None:
    """While the bus is away carts fall due; their purchases stand in the queue, and every post is answered 200."""
    mode = {"database_url": postgres_names, "bus_url": f"kafka://{broker.address}", "topic_prefix": topic_prefix}
    house, trade = House(tmp_path, mode), Trade(6, customers=12)
    assert len(trade.abandoned) > 5
    try:
        with played(house, Mailbox(tmp_path), trade) as drama:
            drama.trades([])
            broker.kill()
            stream = Stream(house, OPENING, per_second)
            answers = stream.flows(seconds)
            assert {answer.status for answer in answers} == {200}
            bought = [[purchase_of(cart, OPENING)] for cart in trade.abandoned]
            Load(house, bought, patient=False).begin().finish()
            house.moves_to(LAST_TRIES, "ingest", "notifications")
            house.start("ingest", "notifications")
            broker.start()
            drama.inside.drains(DRAINED_SECONDS)
            drama.inside.rests()
            sales = len(trade.sales) + stream.sold + len(bought)
            books = house.verify()
            assert books["ingest"]["counters"]["published:ingest:order.paid"] == sales
            assert books["loyalty"]["counters"]["effected:ingest:order.paid"] == sales
            assert "cart_reminder" not in {message.step for message in drama.inside.messages()}
            told_in_order(drama.inside)
    finally:
        house.pull_down()


@pytest.mark.parametrize(
    "seconds", [pytest.param(3, marks=DISTRIBUTED), pytest.param(30, marks=[IN_FULL, *DISTRIBUTED])]
)
def test_postgres_away_is_503_at_once_and_clients_that_try_again_lose_nothing(
    server: Postgres, kafka_address: str, topic_prefix: str, tmp_path: Path, seconds: int
) -> None:
    """Whoever posts is told to come back; Segment's own client does, and nothing is parked."""
    with database_names(server.address) as url:
        mode = {"database_url": url, "bus_url": f"kafka://{kafka_address}", "topic_prefix": topic_prefix}
        house, trade = House(tmp_path, mode), Trade(8, customers=8)
        try:
            with played(house, Mailbox(tmp_path), trade) as drama:
                load = Load(house, trade.stories).begin(4)
                load.reach(10)
                server.stop(immediate=True)
                sdk, failed = segment_client(house)
                for number in range(20):
                    properties = {"order_id": f"sdk{number}", "total": 5, "currency": "EUR"}
                    sdk.track(f"c{number}", "Order Completed", properties, timestamp=OPENING, message_id=f"sdk{number}")
                are_told_to_come_back(Stream(house, OPENING, 10).flows(seconds), at_once=seconds > AT_LENGTH_SECONDS)
                server.start()
                sdk.flush()
                sdk.join()
                load.finish()
                assert failed == []
                drama.inside.rests()
                books = house.verify()
                sales = len(trade.sales) + 20
                assert books["loyalty"]["counters"]["effected:ingest:order.paid"] == sales
                assert [kept["parked"] for kept in books.values()] == [{}] * 4
        finally:
            house.pull_down()


@pytest.mark.postgres
async def test_who_starts_before_the_database_waits_for_it(server: Postgres) -> None:
    server.stop()
    database = Database(f"{server.address}/postgres", Clock(), 3)
    opening = asyncio.create_task(database.open())
    await asyncio.to_thread(server.start)
    await opening
    async with database.read() as reader:
        assert (await reader.machine_now()).tzinfo is not None
    await database.close()


def are_told_to_come_back(answers: Sequence[Answer], *, at_once: bool) -> None:
    """Every answer is 503 with Retry-After; `at_once`: within a second."""
    assert {(answer.status, answer.retry_after != "") for answer in answers} == {(503, True)}
    assert not at_once or max(answer.took for answer in answers) < 1


def segment_client(house: House) -> tuple[Client, list[object]]:
    """Segment's client as a shop's server runs it, and what it gave up on."""
    failed: list[object] = []
    key, host = house.keys["server_key"], house.address("ingest")
    return Client(key, host=host, max_retries=20, on_error=lambda error, _batch: failed.append(error)), failed


@pytest.mark.parametrize("seconds", [2, pytest.param(20, marks=IN_FULL)])
def test_a_full_disk_is_503_and_once_there_is_room_all_goes_on(tmp_path: Path, seconds: int) -> None:
    """Neither databases nor log can grow; what was answered 200 is kept, what was not is posted again."""
    house = House(tmp_path, {})
    try:
        with played(house, Mailbox(tmp_path), Trade(9, customers=12)) as drama:
            load = Load(house, drama.trade.stories).begin(6)
            load.reach(20)
            room = resource.prlimit(house.pid("ingest"), resource.RLIMIT_FSIZE)
            resource.prlimit(house.pid("ingest"), resource.RLIMIT_FSIZE, (4096, room[1]))
            are_told_to_come_back(Stream(house, OPENING, 10).flows(seconds), at_once=seconds > AT_LENGTH_SECONDS)
            resource.prlimit(house.pid("ingest"), resource.RLIMIT_FSIZE, room)
            load.finish()
            drama.inside.rests()
            assert house.kills == 0
    finally:
        house.pull_down()


def test_a_mail_server_that_fails_in_every_way_gets_no_mail_twice(tmp_path: Path, smtp_server: SmtpServer) -> None:
    """Busy, later, cut before or after it kept the mail: what is certain is sent again, what is not never."""
    mailbox = Mailbox(tmp_path, smtp_server)
    house = House(tmp_path, {"smtp_url": f"smtp://127.0.0.1:{smtp_server.port}"})
    try:
        with played(house, mailbox, Trade(7, customers=16)) as drama:
            smtp_server.answers("MAIL", "421 busy", Act.DROP)
            smtp_server.answers("RCPT", "454 later", Act.DROP)
            smtp_server.answers("DATA", "451 try again", Act.DROP, Act.KEEP_AND_DROP, "421 closing")
            drama.trades([])
            house.kills = 1  # two mails were cut off after DATA, as one kill may do
            for moment in MOMENTS:
                drama.comes_to(moment)
            drama.redeems()
            drama.ends_well()
    finally:
        house.pull_down()
