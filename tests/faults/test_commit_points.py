"""SIGKILL at each named commit point, before it and after it: the work is done again or was done, never both."""

import pytest

from tests.faults.house import House
from tests.faults.trade import Load, Trade, settled

POINTS = [
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
    "loyalty.relay.after",
    "scoring.consumer.after",
    "notifications.consumer.before",
    "notifications.consumer.after",
    "notifications.offset.after",
]


def died_at(house: House, point: str) -> None:
    """Trade while the process of a point dies there and comes back."""
    trade = Trade(7, customers=6, orders=12)
    load, head = Load(house, trade), house.head_of(point.split(".", maxsplit=1)[0])
    house.stop(head)
    house.launch(head, f"{point}:1")
    load.begin()
    house.burn_down(head)
    house.start(head)
    load.finish()
    settled(house, trade)


@pytest.mark.parametrize("point", ["ingest.accept.after", "ingest.published.after", "loyalty.consumer.after"])
def test_killed_at_a_commit_point_nothing_is_lost_or_doubled(house: House, point: str) -> None:
    died_at(house, point)


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_commit_point_nothing_is_lost_or_doubled(house: House, point: str) -> None:
    died_at(house, point)
