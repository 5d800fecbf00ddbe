"""Several replicas of each service: frozen past their session, or with clocks that are off."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.faults.days import LAST_TRIES, MOMENTS
from tests.faults.drama import played
from tests.faults.house import SERVICES, House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
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
