"""Several replicas of each service: frozen past their session, scaled up and down, or with clocks that are off."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.faults.days import ALL_IS_RIPE, LAST_TRIES, MOMENTS
from tests.faults.drama import played
from tests.faults.house import SERVICES, House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.order import told_in_order
from tests.faults.trade import Trade
from tests.real.smtp import SmtpServer

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.postgres]
PAST_THE_SESSION_SECONDS = 13.0
TWINS = [f"{service}-2" for service in SERVICES]


@pytest.fixture
def mode(postgres_names: str, kafka_address: str, topic_prefix: str, smtp_server: SmtpServer) -> dict[str, Any]:
    """PostgreSQL, Kafka, mail by SMTP."""
    return {
        "database_url": postgres_names,
        "bus_url": f"kafka://{kafka_address}",
        "topic_prefix": topic_prefix,
        "smtp_url": f"smtp://127.0.0.1:{smtp_server.port}",
    }


@pytest.fixture
def twins(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """Two processes for each service."""
    yield from built(House(tmp_path, mode, replicas=dict.fromkeys(SERVICES, 2)))


@pytest.fixture
def one_each(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """One process for each service."""
    yield from built(House(tmp_path, mode))


@pytest.fixture
def up_to_four(mode: dict[str, Any], tmp_path: Path) -> Iterator[House]:
    """One process for each service, with room for three more of each."""
    house = House(tmp_path, mode, replicas=dict.fromkeys(SERVICES, 4))
    house.away = set(house.heads) - set(SERVICES)
    yield from built(house)


def built(house: House) -> Iterator[House]:
    """A house that is pulled down in the end."""
    try:
        yield house
    finally:
        house.pull_down()


def frozen(house: House, *heads: str) -> None:
    """Freeze processes for so long that others take over what they hold, then let them go on where they stood."""
    house.signal(signal.SIGSTOP, *heads)
    Event().wait(PAST_THE_SESSION_SECONDS)
    house.signal(signal.SIGCONT, *heads)


def test_zombies_change_nothing(twins: House, tmp_path: Path, smtp_server: SmtpServer) -> None:
    trade = Trade(7, customers=16)
    with played(twins, Mailbox(tmp_path, smtp_server), trade) as drama:
        load = Load(twins, trade.stories).begin(4)
        load.reach(10)
        load.release(8)
        frozen(twins, *TWINS)
        load.finish()
        drama.inside.rests()
        twins.moves_to(LAST_TRIES)
        twins.start(*twins.heads)
        frozen(twins, *TWINS)
        drama.inside.rests()
        drama.ends_well(moments=[LAST_TRIES])


def scales(house: House, service: str, to: int) -> None:
    """Have so many replicas of a service: new ones join together, of the old ones the first have to go, in order."""
    present = [head for head in house.heads_of(service) if head not in house.away]
    new = [head for head in house.heads_of(service) if head in house.away][: max(0, to - len(present))]
    house.start(*new)
    house.away -= set(new)
    for head in present[: max(0, len(present) - to)]:
        house.away.add(head)
        house.stop(head)


def test_scaled_to_four_and_back_under_load_order_is_kept_and_each_timer_fires_once(
    up_to_four: House, tmp_path: Path, smtp_server: SmtpServer
) -> None:
    """Each service in turn while orders come in; who mails and who books, again while their timers fire."""
    house = up_to_four
    with played(house, Mailbox(tmp_path, smtp_server), Trade(15, customers=24)) as drama:
        load = Load(house, drama.trade.stories).begin(4)
        for service in SERVICES:
            for to in (2, 4, 2, 1):
                load.release(1)
                scales(house, service, to)
            drama.inside.hands_over(service, f"{service}-4")
        load.finish()
        drama.inside.rests()
        for service, moment in (("notifications", LAST_TRIES), ("loyalty", ALL_IS_RIPE)):
            house.moves_to(moment)
            house.away -= set(house.heads_of(service))
            house.start(*(head for head in house.heads if head not in house.away))
            scales(house, service, 2)
            drama.inside.rests()
            scales(house, service, 1)
        drama.redeems()
        house.kills = 0  # of idle processes only, so that no mail may be unknown
        drama.ends_well()
        told_in_order(drama.inside)


@pytest.mark.parametrize("ahead", [90, -90])
def test_a_service_whose_clock_is_off_by_90_seconds_changes_nothing(
    one_each: House, tmp_path: Path, smtp_server: SmtpServer, ahead: int
) -> None:
    """Loyalty and notifications are ahead of (or behind) ingest and the databases."""
    one_each.skews = dict.fromkeys(("loyalty", "notifications"), timedelta(seconds=ahead))
    with played(one_each, Mailbox(tmp_path, smtp_server), Trade(16, customers=12)) as drama:
        drama.trades([])
        for moment in MOMENTS:
            drama.comes_to(moment + timedelta(seconds=abs(ahead)))
        drama.redeems()
        drama.ends_well()
