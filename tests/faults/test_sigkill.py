"""SIGKILL at random moments under a mixed load: nothing lost, nothing doubled, no mail twice, the books balance."""

import random
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.days import ALL_IS_RIPE, CARTS, LAST_TRIES, LOTS, MOMENTS
from tests.faults.drama import Drama, played
from tests.faults.house import House
from tests.faults.households import Neighbours
from tests.faults.mailbox import Mailbox
from tests.real.smtp import SmtpServer

FULL_LENGTH = [CARTS[2], LAST_TRIES, LOTS[2], ALL_IS_RIPE]


def killed_at_random(drama: Drama, *, trading: int, moments: Sequence[datetime], redeeming: int, deciding: int) -> None:
    """Live through a trade with so many kills while posts come in, one more at each moment, and some at the end."""
    dice = random.Random(drama.trade.seed)
    drama.trades_and_dies(dice, trading)
    for moment in moments:
        drama.comes_to_and_dies(moment, dice)
    drama.redeems_and_dies(dice, redeeming)
    drama.decides_and_dies(dice, deciding)
    drama.ends_well()


def test_killed_at_random_nothing_is_lost_or_doubled(house: House, mailbox: Mailbox) -> None:
    with played(house, mailbox, Neighbours(7, customers=16, households=6)) as drama:
        killed_at_random(drama, trading=3, moments=MOMENTS, redeeming=1, deciding=1)


@pytest.mark.faults
def test_killed_thirty_times_nothing_is_lost_or_doubled(house: House, mailbox: Mailbox) -> None:
    with played(house, mailbox, Neighbours(2, customers=60, households=12)) as drama:
        killed_at_random(drama, trading=20, moments=FULL_LENGTH, redeeming=4, deciding=4)
        assert drama.house.kills >= 30


@pytest.mark.faults
def test_killed_thirty_times_with_the_other_mailbox(
    mode: dict[str, Any], tmp_path: Path, smtp_server: SmtpServer
) -> None:
    """Embedded with an SMTP server, distributed with a maildir; replicas that are strangers at each start."""
    mailbox = Mailbox(tmp_path, None if mode else smtp_server)
    by_smtp = {} if mode else {"smtp_url": f"smtp://127.0.0.1:{smtp_server.port}"}
    house = House(tmp_path, {**mode, **by_smtp}, named=False)
    try:
        with played(house, mailbox, Neighbours(4, customers=60, households=12)) as drama:
            killed_at_random(drama, trading=20, moments=FULL_LENGTH, redeeming=4, deciding=4)
            assert house.kills >= 30
    finally:
        house.pull_down()
