"""One address in several customers, who were never told to be one: it is written to as one person."""

import asyncio

import pytest
from sqlalchemy import select

from services.notifications import tables
from services.notifications.service import notifications
from shared.events.ingest import CustomerErased, CustomerMerged
from shared.tables import TimerRow
from shared.timers import Timers
from shared.work import Judge
from shared.workset import Due
from tests.notifications.office import Office
from tests.notifications.some import ANA, after, consent, filled, lapsed, paid, profile, told

BEA = "cus_bea"
PAIRS = 6


async def moved_in(office: Office, email: str = "ANA@Example.com", *, granted: bool = True) -> None:
    """Bea comes, under an address that may be Ana's."""
    await office.tell(profile(of=BEA, email=email), consent(granted, of=BEA))


async def test_two_who_lapse_at_one_address_get_one_mail(office: Office) -> None:
    await moved_in(office)
    await office.tell(lapsed(), told(lapsed().fact, of=BEA))
    await office.passes(hours=2)
    assert len(office.mails) == 1
    assert sorted(await office.reasons() + await office.reasons(BEA)) == ["cooldown"]
    await office.is_balanced()


async def test_the_cap_belongs_to_the_address(village_office: Office) -> None:
    await moved_in(village_office)
    for number, who in enumerate((ANA, BEA)):
        await village_office.tell(filled(f"cart_{number}", of=who, at=village_office.world.now))
        await village_office.passes(hours=25)
    assert len(village_office.mails) == 4
    await village_office.tell(filled("cart_9", of=BEA, at=village_office.world.now))
    await village_office.passes(hours=3)
    assert await village_office.reasons(BEA) == ["frequency_cap"]


async def test_a_no_of_one_is_a_no_of_the_address(village_office: Office) -> None:
    await moved_in(village_office, granted=False)
    at = village_office.world.now
    await village_office.tell(filled(), paid(at=at, cart="cart_7"))
    await village_office.passes(hours=3)
    assert await village_office.reasons() == ["no_consent"]
    assert village_office.subjects == ["Gracias por tu pedido #1001"]


@pytest.mark.parametrize(("email", "mails"), [("a.na@example.com", 2), ("ana+shop@example.com", 2), ("", 1)])
async def test_an_address_with_a_tag_or_a_dot_is_another_one(village_office: Office, email: str, mails: int) -> None:
    await moved_in(village_office, email)
    await village_office.tell(lapsed(), told(lapsed().fact, of=BEA))
    await village_office.passes(hours=2)
    assert len(village_office.mails) == mails


async def test_whoever_comes_second_waits_for_the_mailbox_and_sees_what_the_first_one_did(office: Office) -> None:
    await moved_in(office)
    await office.tell(lapsed(), told(lapsed().fact, of=BEA))
    running = office.world.of("notifications")
    rows = await office.world.rows("notifications", select(*tables.kernel.timer.columns))
    first, second = (due_now(TimerRow(*row)) for row in rows)
    office.world.clock.move_to(after(hours=1, minutes=1))

    async def steps(due: Due) -> None:
        async with running.db.write() as tx:
            await Judge(notifications, "other").judge(tx, [due])

    async with running.db.write() as tx:
        await Judge(notifications, "one").judge(tx, [first])
        other = asyncio.create_task(steps(second))
        await asyncio.wait({other}, timeout=0.5)
    await other
    claimed = await office.world.rows("notifications", select(tables.message.c.id))
    assert len(claimed) == 1


def due_now(row: TimerRow) -> Due:
    """What a timer asks for when it fires."""
    name = row.name.removeprefix(f"{row.kind}:")
    return Due(
        account=row.account,
        customer=row.customer,
        store=row.store,
        kind=row.kind,
        name=name,
        due=row.due,
        id=row.generation,
        payload=row.payload,
    )


async def test_two_schedulers_fire_each_timer_once(office: Office) -> None:
    """Of many pairs, each at one address."""
    for number in range(PAIRS):
        for who in (f"cus_a{number}", f"cus_b{number}"):
            shared = profile(of=who, email=f"pair{number}@example.com")
            await office.world.publish(shared, consent(of=who), told(lapsed().fact, of=who))
    await office.world.settle()
    office.world.clock.move_to(after(hours=1, minutes=1))
    await office.world.beat()
    running = office.world.of("notifications")
    workers = [Timers(notifications, running.db, name, batch_size=1) for name in ("first", "second")]
    while not await _fired(workers):
        await running.inbox.step(0.05)
    while await _fired(workers):
        continue
    await office.world.settle()
    assert sorted(str(mail["To"]) for mail in office.mails) == [f"pair{n}@example.com" for n in range(PAIRS)]
    await office.is_balanced()


async def _fired(workers: list[Timers]) -> int:
    return sum(await asyncio.gather(*(worker.step() for worker in workers)))


async def test_an_erased_address_leaves_no_trace_in_ledger_and_mailboxes(village_office: Office) -> None:
    await village_office.tell(filled())
    await village_office.passes(hours=3)
    rows = await village_office.world.rows("notifications", select(tables.mailbox.c.address, tables.message.c.address))
    assert rows[0][0] == rows[0][1] != ""
    at = village_office.world.now
    await village_office.tell(told(CustomerErased(at=at), at))
    assert await village_office.world.rows("notifications", select(tables.mailbox.c.address)) == []
    assert await village_office.world.rows("notifications", select(tables.message.c.address)) == [("",)]


async def test_an_address_that_everybody_left_has_no_mailbox(village_office: Office) -> None:
    await village_office.tell(filled())
    await village_office.passes(hours=3)
    assert len(await _mailboxes(village_office)) == 1
    await village_office.tell(profile(after(hours=4), email="ana@elsewhere.example"))
    assert await _mailboxes(village_office) == []
    await moved_in(village_office, "bea@example.com")
    await village_office.tell(filled("cart_9", of=BEA, at=village_office.world.now))
    await village_office.passes(hours=3)
    assert len(await _mailboxes(village_office)) == 1
    await village_office.tell(told(CustomerMerged(loser=BEA), village_office.world.now))
    assert await _mailboxes(village_office) == []


async def _mailboxes(office: Office) -> list[tuple[str]]:
    return [(row[0],) for row in await office.world.rows("notifications", select(tables.mailbox.c.address))]
