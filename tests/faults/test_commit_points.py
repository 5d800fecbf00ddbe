"""SIGKILL at each named commit point, before it and after it: the work is done again or was done, never both."""

import pytest

from tests.faults.days import ALL_IS_RIPE, CARTS, LAST_TRIES, LOTS
from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.households import Neighbours
from tests.faults.mailbox import Mailbox

TRADING = [
    "ingest.accept.before",
    "ingest.accept.after",
    "ingest.intake.before",
    "ingest.intake.after",
    "ingest.published.after",
    "ingest.relay.before",
    "ingest.relay.after",
    "loyalty.consumer.before",
    "loyalty.consumer.after",
    "loyalty.offset.after",
    "loyalty.published.after",
    "loyalty.relay.before",
    "loyalty.relay.after",
    "scoring.consumer.before",
    "scoring.consumer.after",
    "scoring.offset.after",
    "scoring.published.after",
    "scoring.relay.before",
    "scoring.relay.after",
    "notifications.consumer.before",
    "notifications.consumer.after",
    "notifications.offset.after",
]
DECIDING = [
    "ingest.command.before",
    "ingest.command.after",
    "loyalty.consumer.before",
    "scoring.consumer.before",
    "notifications.consumer.before",
    "ingest.published.after",
    "ingest.relay.after",
    "loyalty.consumer.after",
    "loyalty.relay.before",
    "scoring.consumer.after",
    "notifications.consumer.after",
]
SHORT = {  # by whether the house is distributed, where what a dead mailer had claimed is known after a minute only
    False: {
        CARTS[2]: ["notifications.claim.after"],
        CARTS[3]: ["notifications.handing_over.after"],
        CARTS[4]: ["notifications.outcome.before"],
        LAST_TRIES: ["notifications.outcome.after"],
        LOTS[0]: ["scoring.timer.after"],
        LOTS[2]: ["loyalty.timer.before"],
        ALL_IS_RIPE: ["loyalty.timer.after"],
    },
    True: {
        LAST_TRIES: [],
        ALL_IS_RIPE: ["loyalty.timer.before", "scoring.timer.after"],
    },
}
TELLING = ["notifications.relay.before", "notifications.published.after", "notifications.relay.after"]
IN_FULL = {
    False: {
        CARTS[0]: ["notifications.timer.before", *TELLING],
        CARTS[1]: ["notifications.timer.after"],
        CARTS[2]: ["notifications.claim.after"],
        CARTS[3]: ["notifications.handing_over.after"],
        CARTS[4]: ["notifications.outcome.before"],
        CARTS[5]: ["notifications.outcome.after"],
        LAST_TRIES: [],
        LOTS[0]: ["scoring.timer.before"],
        LOTS[2]: ["scoring.timer.after"],
        LOTS[3]: ["loyalty.timer.before"],
        LOTS[4]: ["loyalty.timer.after"],
        ALL_IS_RIPE: [],
    },
    True: {
        CARTS[0]: TELLING,
        CARTS[1]: ["notifications.timer.before", "notifications.claim.after"],
        CARTS[3]: ["notifications.handing_over.after"],
        CARTS[5]: ["notifications.outcome.before"],
        LAST_TRIES: ["notifications.outcome.after"],
        LOTS[0]: ["scoring.timer.before", "loyalty.timer.before"],
        ALL_IS_RIPE: ["scoring.timer.after", "loyalty.timer.after"],
    },
}
REDEEMING = ["loyalty.redemption.before", "loyalty.redemption.after"]


def test_killed_at_some_commit_points_nothing_is_lost_or_doubled(house: House, mailbox: Mailbox) -> None:
    with played(house, mailbox, Neighbours(7, customers=16, households=9)) as drama:
        drama.trades(
            [
                "ingest.accept.after",
                "ingest.intake.before",
                "ingest.published.after",
                "ingest.relay.after",
                "loyalty.consumer.before",
                "scoring.consumer.after",
                "notifications.consumer.before",
            ]
        )
        for moment, points in SHORT[house.distributed].items():
            drama.comes_to(moment, points)
        drama.redeems(["loyalty.redemption.after"])
        drama.decides(DECIDING[1:5])
        drama.ends_well()


@pytest.mark.faults
def test_killed_at_every_commit_point_nothing_is_lost_or_doubled(house: House, mailbox: Mailbox) -> None:
    with played(house, mailbox, Neighbours(11, customers=64, households=33)) as drama:
        drama.trades(TRADING)
        for moment, points in IN_FULL[house.distributed].items():
            drama.comes_to(moment, points, sent=moment >= LAST_TRIES)
        drama.redeems(REDEEMING)
        drama.decides(DECIDING)
        drama.ends_well()
