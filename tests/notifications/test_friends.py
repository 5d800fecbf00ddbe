"""Mails about friends: to who brought one, and the one invitation that somebody who is no customer may get."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.notifications import tables
from shared.events import Event
from shared.events.ingest import CustomerErased
from shared.events.loyalty import FriendInvited, PointsEarned, PointsReversed
from tests.notifications.office import Office, one_click_of, text_of
from tests.notifications.some import NOON, after, told

DAN = "inv_dan"
LINK = "https://shop.example/?ref=ANA"


def earned(rule: str = "referral:first_order", award: str = "awd_1") -> Event[Any]:
    """Loyalty says that points were earned."""
    return told(PointsEarned(program="prg", rule=rule, award=award, points=1500, balance=0))


def invited(email: str = "dan@example.com", of: str = DAN, locale: str = "en") -> Event[Any]:
    """Loyalty says that Ana wants to bring somebody."""
    return told(FriendInvited(email=email, giver="Ana", link=LINK, locale=locale), of=of)


async def why(office: Office, invitee: str) -> list[str]:
    """Why somebody who was invited got no mail."""
    kept = tables.decision.c
    rows = await office.world.rows("notifications", select(kept.reason).where(kept.customer == invitee))
    return [row[0] for row in rows]


async def test_who_brought_a_friend_is_told_and_not_when_the_points_went_again_at_once(office: Office) -> None:
    await office.tell(earned(), earned("review", "awd_2"), earned("referral_welcome:first_order", "awd_3"))
    await office.tell(earned("referral:every_order", "awd_4"))
    gone = PointsReversed(program="prg", rule="referral:every_order", award="awd_4", points=1500, balance=0)
    await office.tell(told(gone, after(minutes=10)))
    await office.passes(hours=1)
    assert office.subjects == ["1.500 puntos por traer a un amigo a Casa Querencia"]
    assert await office.reasons() == ["points_taken_back"]
    await office.is_balanced()


async def test_an_invitation_goes_out_once_and_the_address_is_forgotten(office: Office) -> None:
    await office.tell(invited())
    await office.tell(invited())
    await office.passes(hours=1)
    (mail,) = office.mails
    assert (mail["To"], mail["Subject"]) == ("dan@example.com", "Ana invites you to Casa Querencia")
    assert LINK in text_of(mail)
    assert "This is not for me" in text_of(mail)
    await office.passes(days=4)
    kept = tables.contact.c
    rows = await office.world.rows("notifications", select(kept.email, kept.address).where(kept.customer == DAN))
    assert rows[0][0] == ""
    assert (await office.world.post(one_click_of(mail))).status_code == 200
    held = await office.world.rows("notifications", select(tables.suppression.c.address, tables.suppression.c.reason))
    assert held == [(rows[0][1], "unsubscribed")]
    await office.tell(invited(of="inv_dan_again"))
    await office.passes(days=1)
    assert len(office.mails) == 1
    assert await why(office, "inv_dan_again") == ["no_consent"]


async def test_nobody_who_is_known_or_was_erased_is_invited(village_office: Office) -> None:
    office = village_office
    await office.tell(invited("ANA@example.com", of="inv_1"))
    await office.passes(hours=1)
    await office.tell(told(CustomerErased(at=after(hours=1)), after(hours=1)))
    await office.passes(hours=1)
    again = told(FriendInvited(email="ana@example.com", giver="Bea"), NOON + timedelta(hours=2), of="inv_2")
    await office.tell(again)
    await office.passes(hours=1)
    assert office.mails == []
    assert (await why(office, "inv_1"), await why(office, "inv_2")) == (["no_consent"], ["suppressed"])
