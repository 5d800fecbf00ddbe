"""Two replicas of each service, some frozen past their session and let go again: a zombie changes nothing."""

import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.faults.days import ALL_IS_RIPE, LAST_TRIES, LOTS
from tests.faults.drama import played
from tests.faults.house import SERVICES, House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.trade import Trade
from tests.real.smtp import SmtpServer

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("real")]
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
    trade = Trade(14, customers=40)
    with played(twins, Mailbox(tmp_path, smtp_server), trade) as drama:
        load = Load(twins, trade.stories).begin(10)
        load.reach(20)
        load.release(20)
        frozen(twins, *TWINS)
        load.finish()
        drama.inside.rests()
        for moment in (LAST_TRIES, LOTS[2], ALL_IS_RIPE):
            twins.moves_to(moment)
            twins.start(*twins.heads)
            frozen(twins, *TWINS)
            drama.inside.rests()
        drama.redeems()
        drama.ends_well()


def test_scaled_down_and_up_under_load_every_fact_has_one_effect(
    twins: House, tmp_path: Path, smtp_server: SmtpServer
) -> None:
    trade = Trade(15, customers=40)
    with played(twins, Mailbox(tmp_path, smtp_server), trade) as drama:
        load = Load(twins, trade.stories).begin()
        for part, head in enumerate((*TWINS, "ingest", "loyalty"), start=1):
            load.reach(trade.posts * part // 8)
            twins.stop(head)
            load.reach(trade.posts * part // 8 + 10)
            twins.start(head)
        load.finish()
        for moment in (LAST_TRIES, ALL_IS_RIPE):
            drama.comes_to(moment)
        drama.redeems()
        drama.ends_well()
