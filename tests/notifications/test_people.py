"""Two who turn out to be one, one who asks to be forgotten, one who moves while a mail waits."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select

from services.notifications import tables
from shared.events.ingest import CustomerErased, CustomerMerged
from tests.notifications.office import Office
from tests.notifications.some import ANA, after, consent, filled, paid, placed, profile, told

BEA = "cus_bea"


def merged(at: Any) -> Any:
    return told(CustomerMerged(loser=BEA), at)


def erased(at: Any) -> Any:
    return told(CustomerErased(at=at), at)


async def test_a_merge_while_a_mail_waits_sends_it_once_to_the_survivor(office: Office) -> None:
    await office.tell(filled(of=BEA), merged(after(minutes=10)))
    await office.passes(hours=3)
    assert [mail["To"] for mail in office.mails] == ["ana@example.com"]
    rows = (await office.get(f"/v1/messages?customer={BEA}"))["data"]
    assert [row["customer"] for row in rows] == [ANA]
    await office.is_balanced()


async def test_after_a_merge_the_stricter_consent_holds_and_caps_are_shared(village_office: Office) -> None:
    await village_office.tell(profile(of=BEA, email="bea@example.com"), consent(of=BEA))
    for number in range(2):
        await village_office.tell(filled(f"cart_{number}", of=BEA, at=village_office.world.now))
        await village_office.passes(hours=25)
    assert len(village_office.mails) == 4
    at = village_office.world.now
    await village_office.tell(merged(at), filled("cart_9", at=at))
    await village_office.passes(hours=3)
    assert "frequency_cap" in await village_office.reasons()
    assert len(village_office.mails) == 4


async def test_a_no_of_the_merged_is_a_no_of_the_survivor(village_office: Office) -> None:
    await village_office.tell(consent(granted=False, of=BEA), merged(after(minutes=1)), filled())
    await village_office.passes(hours=3)
    assert await village_office.reasons() == ["no_consent"]
    answer = await village_office.get(f"/v1/contacts/{BEA}")
    assert answer["customer"] == ANA


async def test_a_purchase_told_of_the_merged_ends_the_survivors_cart(village_office: Office) -> None:
    await village_office.tell(filled(of=BEA), merged(after(minutes=1)), placed(of=BEA, at=after(minutes=2)))
    await village_office.passes(hours=3)
    assert village_office.mails == []


async def test_what_either_bought_before_they_were_one_ends_the_other_ones_cart_at_the_merge(
    village_office: Office,
) -> None:
    await village_office.tell(filled(), placed(of=BEA, at=after(minutes=1), cart=""))
    await village_office.tell(merged(after(minutes=2)))
    await village_office.passes(hours=3)
    assert await village_office.reasons() == ["purchased"]
    assert (await village_office.get(f"/v1/messages?customer={ANA}"))["data"] == []


async def text_of_all(office: Office) -> bytes:
    """Every byte of every table, and of every file of a mail."""
    metadata: MetaData = tables.metadata
    found = b""
    for table in metadata.sorted_tables:
        if table.name != "outbox":
            found += repr(await office.world.rows("notifications", select(*table.columns))).encode()
    for path in Path(office.world.settings.data_dir, "maildir").rglob("*.eml"):
        found += path.read_bytes()
    return found


async def test_who_is_erased_leaves_nothing_but_a_hash(office: Office) -> None:
    at = office.world.now
    await office.tell(filled(), filled("cart_2"), paid(at=at, cart="cart_3"))
    await office.passes(hours=3)
    assert len(office.mails) == 2
    assert b"ana@example.com" in await text_of_all(office)
    gone = office.world.now
    await office.tell(erased(gone))
    left = await text_of_all(office)
    assert b"ana@example.com" not in left.lower()
    assert b"Mug" not in left
    assert office.letters == []
    await office.passes(days=5)
    assert office.letters == []
    assert [row["reason"] for row in (await office.get("/v1/suppressions"))["data"]] == ["erased"]
    assert (await office.world.get(f"/v1/contacts/{ANA}", headers=office.headers)).status_code == 404
    assert (await office.is_balanced())["messages_pending"] == 0


async def test_an_erased_address_that_comes_back_gets_no_marketing_before_a_new_opt_in(village_office: Office) -> None:
    await village_office.tell(erased(after(minutes=1)))
    later = after(minutes=2)
    await village_office.tell(profile(later, of=BEA), consent(at=after(seconds=30), of=BEA), filled(of=BEA, at=later))
    await village_office.passes(hours=3)
    assert village_office.mails == []
    assert await village_office.reasons(BEA) == ["suppressed"]
    again = village_office.world.now
    await village_office.tell(consent(at=again, of=BEA), filled("cart_2", of=BEA, at=again))
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 1


async def test_facts_from_before_an_erasure_bring_nobody_back(village_office: Office) -> None:
    await village_office.tell(erased(after(minutes=5)), profile(after(minutes=4)), filled(at=after(minutes=6)))
    await village_office.passes(days=4)
    assert village_office.mails == []


async def test_a_claimed_mail_of_an_erased_customer_is_withdrawn(village_office: Office) -> None:
    await village_office.tell(filled())
    village_office.world.clock.move_to(after(hours=2, minutes=1))
    await village_office.world.beat()
    running = village_office.world.of("notifications")
    while await village_office.ledger() != {"cart_reminder": "claimed"}:
        await running.inbox.step(0.05)
        await running.timers.step()
    await village_office.world.publish(erased(after(hours=2)))
    while not await running.inbox.step(0.05):
        continue
    await village_office.world.settle()
    assert await village_office.ledger() == {"cart_reminder": "withdrawn"}
    assert village_office.letters == []
    await village_office.is_balanced()


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Auckland"])
async def test_who_moves_while_a_mail_waits_gets_it_once_in_the_new_zones_day(
    village_office: Office, zone: str
) -> None:
    await village_office.tell(profile(after(seconds=1), zone="Asia/Tokyo"), filled(at=after(hours=1)))
    await village_office.passes(hours=4)
    assert await village_office.reasons() == ["quiet_hours"]
    await village_office.tell(profile(after(hours=4), zone=zone))
    await village_office.passes(hours=20)
    assert len(village_office.mails) == 1
