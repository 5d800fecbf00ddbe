"""Many carts, and purchases that come in while timers fire and mails go out: none goes out after a known purchase."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from services.notifications import tables
from services.notifications.outgoing import HandOver
from shared.events import Event
from shared.observe import METRICS
from tests.notifications.office import Office
from tests.notifications.some import NOON, after, consent, filled, placed, profile

CROWDS = [60, pytest.param(5_000, marks=pytest.mark.faults)]


def people(kind: str, number: int) -> list[str]:
    """Customers who all do the same."""
    return [f"cus_{kind}{one}" for one in range(number)]


def begun(who: str, at: datetime = NOON) -> Iterator[Event[Any]]:
    """Somebody agrees to marketing and fills a cart."""
    yield profile(of=who, email=f"{who}@example.com")
    yield consent(of=who)
    yield filled(f"cart_{who}", at=at, of=who)


def bought(who: str, minutes: float) -> Event[Any]:
    """Somebody buys their cart."""
    return placed(f"ord_{who}", after(minutes=minutes), of=who, cart=f"cart_{who}")


async def in_parts(office: Office, events: Sequence[Event[Any]], size: int = 300) -> None:
    """Publish many facts."""
    for start in range(0, len(events), size):
        await office.world.publish(*events[start : start + size])


async def claimed(office: Office, number: int) -> None:
    """Step until so many messages are claimed; none is handed over."""
    running = office.world.of("notifications")
    waiting = select(func.count()).select_from(tables.message).where(tables.message.c.state == "claimed")
    await office.world.beat()
    while await office.world.rows("notifications", waiting) != [(number,)]:
        await running.inbox.step(0.02)
        await running.timers.step()


async def taken_in(office: Office) -> None:
    """Step the inbox until it has read all there is."""
    running = office.world.of("notifications")
    while await office.world.runtime.bus.lag("notifications", running.inbox.topics):
        await running.inbox.step(0.02)


async def until(done: asyncio.Event, step: Callable[[], Awaitable[Any]]) -> None:
    """Step a loop for as long as the race goes on."""
    while not done.is_set():
        await step()
        await asyncio.sleep(0)


async def race(office: Office, late: Sequence[str]) -> None:
    """Purchases come in a few at a time while every loop of the service runs."""
    done = asyncio.Event()
    running = office.world.of("notifications")
    steps = [lambda: running.inbox.step(0.01), running.timers.step, running.loops["hand over"].step]
    loops = [asyncio.create_task(until(done, step)) for step in steps]
    await in_parts(office, [bought(who, 121) for who in late], size=5)
    done.set()
    await asyncio.gather(*loops)


@pytest.mark.parametrize("number", CROWDS)
async def test_no_mail_goes_out_after_a_purchase_that_we_know_of(office: Office, number: int) -> None:
    before = METRICS.sent_after_known_purchase._value.get()
    between, early, late, never = (people(kind, number // 4) for kind in ("between", "early", "late", "never"))
    await in_parts(office, [event for who in between for event in begun(who, after(minutes=-2))])
    await in_parts(office, [event for who in (*early, *late, *never) for event in begun(who)])
    await office.world.settle()
    office.world.clock.move_to(after(minutes=118, seconds=30))
    await claimed(office, len(between))
    await in_parts(office, [bought(who, 119) for who in (*between, *early)])
    await taken_in(office)
    office.world.clock.move_to(after(minutes=121))
    await office.world.beat()
    await race(office, late)
    await office.world.settle()
    mails = Counter(str(mail["To"]) for mail in office.mails)
    assert [who for who in (*between, *early) if mails[f"{who}@example.com"]] == []
    assert [who for who in never if mails[f"{who}@example.com"] != 1] == []
    assert max(mails.values()) == 1
    assert (await office.is_balanced())["sent_after_known_purchase"] == 0
    assert METRICS.sent_after_known_purchase._value.get() == before


async def test_a_mail_after_a_known_purchase_would_be_counted_and_be_a_fault_in_the_books(
    village_office: Office,
) -> None:
    """As if every guard had failed: the purchase is in the database before the mail is handed over."""
    await village_office.tell(filled())
    village_office.world.clock.move_to(after(hours=2, minutes=1))
    await village_office.world.beat()
    running = village_office.world.of("notifications")
    loop = HandOver(running)
    while not (handed := await loop._claim()):
        await running.inbox.step(0.05)
        await running.timers.step()
    assert handed[0].message.handed_at is not None
    async with running.db.write() as tx:
        earlier = handed[0].message.handed_at - timedelta(seconds=1)
        await tx.execute(update(tables.contact).values(known_at=earlier))
        await tx.execute(update(tables.journey_run).values(state="ended", reason="purchased"))
    before = METRICS.sent_after_known_purchase._value.get()
    loop._unrecorded = [loop._settled(handed[0].message, await loop._send(handed[0]))]
    await loop._record()
    assert METRICS.sent_after_known_purchase._value.get() == before + 1
    verdict = await village_office.world.verify()
    assert "1 messages went out after a purchase that ends them was known" in str(verdict.faults)


async def test_when_we_learnt_of_a_purchase_is_kept_once(village_office: Office) -> None:
    known = select(tables.contact.c.known_at).where(tables.contact.c.customer == "cus_ana")
    await village_office.tell(filled())
    assert await village_office.world.rows("notifications", known) == [(None,)]
    await village_office.tell(placed(cart="cart_1", at=after(minutes=5)))
    (first,) = await village_office.world.rows("notifications", known)
    assert first[0] is not None
    await village_office.tell(placed(cart="cart_1", at=after(minutes=5)))
    assert await village_office.world.rows("notifications", known) == [first]
