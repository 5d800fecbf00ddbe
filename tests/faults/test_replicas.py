"""Two replicas of each service, some frozen past their session and let go again: a zombie changes nothing."""

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.faults.days import LAST_TRIES
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
def twins(
    postgres_url: str, kafka_address: str, topic_prefix: str, tmp_path: Path, smtp_server: SmtpServer
) -> Iterator[House]:
    """Two processes for each service, mail by SMTP."""
    mode: dict[str, Any] = {
        "database_url": postgres_url,
        "bus_url": f"kafka://{kafka_address}",
        "topic_prefix": topic_prefix,
        "smtp_url": f"smtp://127.0.0.1:{smtp_server.port}",
    }
    made = House(tmp_path, mode, replicas=2)
    try:
        yield made
    finally:
        made.pull_down()


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
