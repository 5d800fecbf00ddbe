"""Purchases by HTTP, then silence, with SIGKILL while they are taken in, while they are scored, while time moves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scoring.installation import Installation

CUSTOMERS = 60
MODES = [
    "embedded",
    pytest.param(  # three kills cost a minute and a half of Kafka's patience; the short form is among the commit points
        "distributed",
        marks=[pytest.mark.kafka, pytest.mark.postgres, pytest.mark.faults],
    ),
]


@pytest.fixture
def installation(mode: dict[str, str], tmp_path: Path) -> Iterator[Installation]:
    """An installation with one account, not started yet."""
    made = Installation(mode, tmp_path)
    yield made
    made.is_killed()
    made.http.close()


def purchase(customer: int, days_ago: int) -> dict[str, Any]:
    at = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    number = f"{customer}-{days_ago}"
    lines = [{"product": "tea", "quantity": 1, "price": 1000 + 17 * customer}]
    data = {"order_id": number, "customer": {"id": f"c{customer}"}, "lines": lines}
    return {
        "specversion": "1.0",
        "id": number,
        "source": "till",
        "type": "purchase",
        "time": at.isoformat(),
        "data": data,
    }


def batches() -> list[list[dict[str, Any]]]:
    """Three purchases of each customer, the last five to thirty-four days ago."""
    rows = [purchase(who, ago + who % 30) for ago in (80, 40, 5) for who in range(CUSTOMERS)]
    return [rows[at : at + 12] for at in range(0, len(rows), 12)]


def sizes(installation: Installation) -> dict[str, int]:
    """How many customers stand in each segment."""
    return {row["name"]: row["customers"] for row in installation.gives("/v1/segments")["data"] if row["customers"]}


@pytest.mark.parametrize("mode", MODES, indirect=True)
def test_killed_thrice_every_purchase_counts_once_and_every_silence_is_told_once(installation: Installation) -> None:
    installation.starts()
    everything = batches()
    for batch in everything[:9]:
        assert installation.http.post("/v1/events", json=batch).status_code == 200
    installation.is_killed()
    installation.starts()
    for batch in everything:
        assert installation.http.post("/v1/events", json=batch).status_code == 200
    installation.comes_to(lambda: sum(sizes(installation).values()) >= CUSTOMERS // 2)
    installation.is_killed()
    installation.starts(days_later=300)
    installation.comes_to(lambda: "lapsed" in sizes(installation) or "at_risk" in sizes(installation))
    installation.is_killed()
    installation.starts(days_later=300)
    installation.comes_to(lambda: sum(sizes(installation).values()) == CUSTOMERS)
    installation.comes_to(lambda: set(sizes(installation)) <= {"at_risk", "lapsed"})
    installation.comes_to(lambda: installation.gives("/v1/models")["in_force"]["status"] == "fitted")
    books = installation.verified()["scoring"]
    assert books["figures"] == {"customers": CUSTOMERS, "orders": 3 * CUSTOMERS}
    counters = books["counters"]
    entered, left = (counters[f"emitted:scoring:segment.{move}"] for move in ("entered", "left"))
    assert entered - left == CUSTOMERS == sum(sizes(installation).values())
