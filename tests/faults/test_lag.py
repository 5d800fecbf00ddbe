"""Consumers or relay held up while carts fall due and the orders that ended them wait: no mail that is not due."""

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.faults.days import LAST_TRIES
from tests.faults.drama import Drama, played
from tests.faults.house import House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.trade import OPENING, Trade, purchase_of

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.postgres]
PAST_THE_SESSION_SECONDS = 13.0


@pytest.fixture
def house(postgres_names: str, kafka_address: str, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """A process for each service, two of ingest."""
    mode = {"database_url": postgres_names, "bus_url": f"kafka://{kafka_address}", "topic_prefix": topic_prefix}
    made = House(tmp_path, mode, replicas={"ingest": 2})
    try:
        yield made
    finally:
        made.pull_down()


@pytest.fixture
def drama(house: House, tmp_path: Path) -> Iterator[Drama]:
    """Carts that were filled and left, more than an hour before anybody is reminded of one."""
    with played(house, Mailbox(tmp_path), Trade(6, customers=20)) as made:
        assert len(made.trade.abandoned) > 8
        made.trades([])
        yield made


def test_ingest_stands_still_for_two_hours_with_purchases_that_were_answered(drama: Drama) -> None:
    """The relay first, then all of ingest; the mailers' clock goes on, and they hear nothing of it all."""
    house, holder = drama.house, drama.inside.relay_of("ingest")
    (other,) = set(house.heads_of("ingest")) - {holder}
    house.signal(signal.SIGSTOP, holder)
    house.away = {holder}
    buys_every_second_cart(drama)
    house.signal(signal.SIGSTOP, other)
    house.moves_to(LAST_TRIES, "notifications")
    house.start("notifications")
    Event().wait(PAST_THE_SESSION_SECONDS)
    assert reminded(drama) == set()
    house.signal(signal.SIGCONT, holder, other)
    drama.inside.drains(60)
    assert reminded(drama) == set()
    house.away = set()
    house.moves_to(LAST_TRIES, holder, other)
    house.start(holder, other)
    only_who_bought_nothing_is_reminded(drama)


def test_who_writes_mails_stands_still_while_purchases_wait_on_the_bus(drama: Drama) -> None:
    """Awake again, their clock says that all carts are due, and purchases lie before the word that nothing is late."""
    house = drama.house
    house.moves_to(LAST_TRIES, "notifications")
    house.start("notifications")
    house.signal(signal.SIGSTOP, "notifications")
    buys_every_second_cart(drama)
    house.moves_to(LAST_TRIES, *house.heads_of("ingest"))
    house.start(*house.heads_of("ingest"))
    Event().wait(PAST_THE_SESSION_SECONDS)
    assert reminded(drama) == set()
    house.signal(signal.SIGCONT, "notifications")
    only_who_bought_nothing_is_reminded(drama)


def buys_every_second_cart(drama: Drama) -> None:
    """Each answered 200 at the first try."""
    bought = [[purchase_of(cart, OPENING)] for cart in drama.trade.abandoned[::2]]
    Load(drama.house, bought, patient=False).begin().finish()


def only_who_bought_nothing_is_reminded(drama: Drama) -> None:
    """Everybody else's mail has gone out once all is quiet, and the books balance."""
    drama.inside.rests()
    people, left = drama.inside.people(), drama.trade.abandoned[1::2]
    assert reminded(drama) == {people[cart.replace("last", "c")] for cart in left}
    books = drama.house.verify()
    sales = len(drama.trade.sales) + len(drama.trade.abandoned[::2])
    assert books["notifications"]["counters"]["effected:ingest:order.paid"] == sales
    assert set(drama.mailbox.arrived.values()) == {1}


def reminded(drama: Drama) -> set[str]:
    """The customers with a mail about their cart."""
    return {message.customer for message in drama.inside.messages() if message.step == "cart_reminder"}
