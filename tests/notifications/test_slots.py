"""Who gets the last slot of a cap, who is kept out to compare, and what does not count."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import update

from services.notifications import tables
from services.notifications.desk import HOUSE
from services.notifications.journeys import JOURNEYS
from services.notifications.records import Content, Message, MessageState, Purpose
from tests.notifications.office import Office
from tests.notifications.some import ACCOUNT, ANA, NOON, STORE, cart, filled, lapsed, paid, placed


async def limited(office: Office, **limits: Any) -> None:
    """The operator's limits become others."""
    async with office.world.of("notifications").db.write() as tx:
        row = await tx.fetch_one(HOUSE)
        assert row is not None
        await tx.execute(update(tables.house).values(limits=replace(row[1], **limits)))


async def got(office: Office, number: int, channel: str = "email") -> None:
    """Ana got some marketing messages of a journey that is no more."""
    rows = [
        Message(
            account=ACCOUNT,
            id=f"msg_{channel}_{one}",
            customer=ANA,
            store=STORE,
            journey="news",
            version=1,
            step="news",
            key=str(one),
            subject=str(one),
            channel=channel,
            purpose=Purpose.MARKETING,
            state=MessageState.ACCEPTED,
            detail="",
            attempts=1,
            valid_until=NOON,
            claimed_at=NOON,
        )
        for one in range(number)
    ]
    async with office.world.of("notifications").db.write() as tx:
        await tx.insert_many(tables.message, rows)


async def test_the_last_slot_goes_to_the_higher_rank(village_office: Office) -> None:
    await got(village_office, 3)
    await village_office.tell(lapsed(), filled())
    await village_office.passes(hours=3)
    assert village_office.subjects == ["Has dejado algo en tu cesta de Casa Querencia"]
    assert await village_office.reasons() == ["outranked"]


async def test_with_slots_for_both_nobody_gives_way(village_office: Office) -> None:
    await got(village_office, 2)
    await village_office.tell(lapsed(), filled())
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 2


async def test_a_checkout_outranks_a_cart(village_office: Office) -> None:
    await got(village_office, 3)
    await village_office.tell(filled("cart_a"), filled("cart_b", at=village_office.world.now, stage="checkout"))
    await village_office.passes(hours=3)
    (row,) = (await village_office.get("/v1/messages?state=accepted&limit=1"))["data"]
    assert row["key"] == "cart_b"
    assert await village_office.reasons() == ["outranked"]


async def test_what_will_not_be_sent_outranks_nothing(village_office: Office) -> None:
    """The cart's reminder would be too soon after another cart's: win-back may have the slot."""
    await village_office.tell(filled("cart_a"))
    await village_office.passes(hours=2, minutes=30)
    await got(village_office, 2)
    at = village_office.world.now
    await village_office.tell(placed(cart="cart_a", at=at), *triggers("b", at))
    await village_office.passes(hours=3)
    assert village_office.subjects[1:] == ["Te echamos de menos en Casa Querencia"]


def test_ranks_are_as_near_as_people_are_to_buying() -> None:
    ranks = {journey.name: journey.rank for journey in JOURNEYS}
    checkout = ranks["abandoned_cart"](Content(cart=cart(stage="checkout")))
    basket = ranks["abandoned_cart"](Content(cart=cart()))
    names = ("points_expiring", "friend_bought", "tier_upgraded", "friend_invited", "win_back")
    others = [ranks[name](Content()) for name in names]
    assert [checkout, basket, *others] == sorted({checkout, basket, *others}, reverse=True)
    assert min(others) > 0


async def test_a_cap_is_one_channels(village_office: Office) -> None:
    await got(village_office, 4, channel="sms")
    await village_office.tell(filled())
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 1
    await got(village_office, 4)
    await village_office.passes(days=1)
    assert await village_office.reasons() == ["frequency_cap"]


async def exposures(office: Office, reason: str) -> list[tuple[str, str]]:
    """Journeys and steps that somebody was kept out of."""
    found = (await office.get("/v1/decisions"))["data"]
    return sorted((row["journey"], row["step"]) for row in found if row["reason"] == reason)


async def test_who_is_held_out_gets_thanks_but_no_marketing_and_each_exposure_is_kept(village_office: Office) -> None:
    for limits, reason in (({"holdout": 1000}, "holdout"), ({"holdout": 0, "control": 1000}, "control_group")):
        await limited(village_office, **limits)
        at = village_office.world.now
        await village_office.tell(paid(f"ord_{reason}", at=at), *triggers(reason, at))
        await village_office.passes(hours=3)
        assert await exposures(village_office, reason) == [
            ("abandoned_cart", "cart_reminder"),
            ("win_back", "win_back"),
        ]
    assert village_office.subjects == ["Gracias por tu pedido #1001"] * 2


def triggers(reason: str, at: datetime) -> list[Any]:
    """A lapse and a cart, both after an order."""
    later = at + timedelta(seconds=1)
    return [lapsed(later), filled(f"cart_{reason}", at=later)]
