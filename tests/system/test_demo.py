"""The demo as a newcomer sees it: a small share of the history, replayed, summed up and balanced."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from demo import history, webhooks
from demo.history import NotToBeHad, Purchase
from demo.inputs import Call, Webhook
from demo.story import Story

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def bought() -> list[Purchase]:
    try:
        return history.purchases()
    except NotToBeHad as why:
        pytest.skip(str(why))


def test_the_history_is_the_published_one(bought: list[Purchase]) -> None:
    assert len(bought) == 69_659
    assert len({purchase.customer for purchase in bought}) == 23_570
    assert sum(purchase.cents for purchase in bought) == 250_031_563


def test_whole_weeks_bring_its_end_to_within_a_week_of_yesterday(bought: list[Purchase]) -> None:
    moved = history.shifted(bought, date(2026, 11, 21))
    assert (moved[0].day - bought[0].day).days % 7 == 0
    assert 0 <= (date(2026, 11, 21) - moved[-1].day).days < 7


def test_every_order_costs_what_the_customer_really_paid(bought: list[Purchase]) -> None:
    mine = history.share(history.shifted(bought, NOON.date()), 100, seed=7)
    told = [one for one in Story(mine, 7, NOON).inputs() if isinstance(one, Webhook) and one.topic == "orders/create"]
    paid = {one.body["id"]: round(float(one.body["total_price"]) * 100) for one in told}
    lines = {
        one.body["id"]: sum(round(float(line["price"]) * 100) * line["quantity"] for line in one.body["line_items"])
        for one in told
    }
    assert paid == lines == {webhooks.order_id(one.number): one.cents for one in mine if one.day < NOON.date()}


def test_the_same_seed_tells_the_same_story(bought: list[Purchase]) -> None:
    mine = history.share(bought, 20, seed=1)
    once, again = (Story(mine, 1, NOON).inputs() for _ in range(2))
    assert once == again
    assert {one.kind for one in once if isinstance(one, Call)} == {"page", "identify", "track"}


def test_a_small_demo_ends_balanced(tmp_path: Path, bought: list[Purchase]) -> None:
    command = [sys.executable, "-m", "services", "demo", "--customers", "10", "--no-serve", "--folder", str(tmp_path)]
    played = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert played.returncode == 0, played.stderr
    verdict = json.loads(played.stdout.splitlines()[-1])
    counters = verdict["books"]["ingest"]["counters"]
    assert verdict["balanced"]
    assert counters["emitted:ingest:order.paid"] == len(history.share(bought, 10, 1997))
    assert verdict["books"]["notifications"]["figures"]["messages_accepted"] > 0
    assert verdict["books"]["loyalty"]["counters"]["emitted:loyalty:points.activated"] > 0
    assert verdict["books"]["loyalty"]["counters"]["emitted:loyalty:reward.claimed"] > 0
    assert "Points and tiers: Backstage" in played.stdout
    assert "What members see" in played.stdout
