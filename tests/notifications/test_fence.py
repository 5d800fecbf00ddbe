"""Seeded crowds through ingest's HTTP: nobody who bought is reminded, whatever the order, delay or repetition."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.notifications.service import notifications
from tests.ingest.shop import Shop, open_shop
from tests.notifications.office import Office
from tests.notifications.some import NOON
from tests.world import a_world

CROWD = 8
LATEST_MINUTE = 110  # the first reminder is due at 120


def story(draw: random.Random, person: int, start: datetime) -> tuple[list[dict[str, Any]], bool]:
    """What one person does within two hours, and whether they bought."""
    who = {"id": f"p{person}", "email": f"p{person}@example.com"}
    tea = {"product": "tea", "title": "Tea", "quantity": 1, "price": 900}
    agreed = {"customer": who, "channel": "email", "granted": True}
    events: list[dict[str, Any]] = [{"type": "consent", "time": start, "data": agreed}]
    times = sorted(draw.sample(range(LATEST_MINUTE), 3))
    for minute in times[:2]:
        cart = {"cart_id": f"c{person}", "customer": who, "lines": [{**tea, "quantity": minute + 1}]}
        events.append({"type": "cart", "time": start + timedelta(minutes=minute), "data": cart})
    bought = draw.random() < 0.5
    if bought:
        order: dict[str, Any] = {"order_id": f"o{person}", "customer": who, "lines": [tea]}
        if draw.random() < 0.5:
            order["cart_id"] = f"c{person}"
        events.append({"type": "purchase", "time": start + timedelta(minutes=times[2]), "data": order})
    return events, bought


async def told(shop: Shop, draw: random.Random, crowd: list[list[dict[str, Any]]]) -> None:
    """Everything that was done is told afterwards, shuffled and in part twice."""
    events = [event for person in crowd for event in person]
    sent = [(event, f"e{number}") for number, event in enumerate(events)]
    sent += draw.sample(sent, len(sent) // 3)
    draw.shuffle(sent)
    for event, name in sent:
        answer = await shop.native(event["type"], event["data"], at=event["time"], id=name)
        assert answer.status_code == 200
        if draw.random() < 0.2:
            await shop.world.settle()


async def decided(folder: Path, seed: int, shuffle: int) -> dict[str, list[str]]:
    """Subjects of the mails to each person after four days."""
    async with a_world([ingest, notifications], folder) as world:
        world.clock.move_to(NOON)
        shop = await open_shop(world)
        draw = random.Random(seed)
        crowd = [story(draw, person, NOON) for person in range(CROWD)]
        world.clock.move_to(NOON + timedelta(minutes=LATEST_MINUTE))
        await told(shop, random.Random(shuffle), [events for events, _ in crowd])
        await world.passes(days=4)
        mails: dict[str, list[str]] = {f"p{person}@example.com": [] for person in range(CROWD)}
        for mail in Office(world).mails:
            mails[str(mail["To"])].append(str(mail["Subject"]))
        for person, (_, bought) in enumerate(crowd):
            expected = 1 if bought else 3
            assert len(mails[f"p{person}@example.com"]) == expected
        assert (await world.verify()).faults == []
        return mails


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.faults) for seed in range(2, 8))])
async def test_any_order_of_telling_sends_the_same_mails_and_none_for_a_bought_cart(tmp_path: Path, seed: int) -> None:
    first = await decided(tmp_path / "first", seed, shuffle=10)
    assert await decided(tmp_path / "second", seed, shuffle=20) == first
