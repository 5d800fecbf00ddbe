"""Carts, purchases and lapses as they come in, and the mails that go out, in both modes."""

import pytest
from sqlalchemy import select

from services.notifications import tables
from services.notifications.outgoing import HandOver
from services.notifications.service import notifications
from shared import migrate
from shared.events.ingest import CartLine, CustomerErased
from shared.events.notifications import MessageSent, MessageSkipped
from shared.events.scoring import SegmentEntered
from tests.notifications.office import Office, html_of, text_of
from tests.notifications.some import after, consent, emptied, filled, lapsed, paid, placed, profile, rated, told


async def test_who_leaves_a_cart_gets_three_mails_and_not_one_more(office: Office) -> None:
    await office.tell(filled())
    await office.passes(hours=1)
    assert office.mails == []
    await office.passes(days=6)
    assert office.subjects == [
        "Has dejado algo en tu cesta de Casa Querencia",
        "¿Te ayudamos con tu pedido?",
        "Última llamada para tu cesta de Casa Querencia",
    ]
    assert await office.is_balanced() == {
        "messages_claimed": 3,
        "messages_accepted": 3,
        "messages_refused": 0,
        "messages_unknown": 0,
        "messages_withdrawn": 0,
        "messages_pending": 0,
        "sent_after_known_purchase": 0,
    }
    facts = await office.world.facts("notifications", MessageSent)
    assert [fact.step for fact in facts if isinstance(fact, MessageSent)] == [
        "cart_reminder",
        "cart_help",
        "cart_offer",
    ]


async def test_who_buys_in_time_gets_no_reminder_but_thanks_with_points(office: Office) -> None:
    await office.tell(filled())
    await office.passes(minutes=90)
    at = office.world.now
    await office.tell(placed(cart="cart_1", at=at), paid(cart="cart_1", at=at))
    assert office.mails == []
    await office.tell(rated(points=25, at=at))
    await office.passes(days=5)
    assert office.subjects == ["Gracias por tu pedido #1001"]
    assert "25 puntos" in text_of(office.mails[0])
    assert await office.reasons() == ["purchased"]
    skipped = await office.world.facts("notifications", MessageSkipped)
    assert [fact.reason for fact in skipped if isinstance(fact, MessageSkipped)] == ["purchased"]
    await office.is_balanced()


async def test_thanks_go_out_without_points_when_nobody_says_them_in_time(village_office: Office) -> None:
    at = village_office.world.now
    await village_office.tell(placed(at=at), paid(at=at))
    await village_office.passes(minutes=9)
    assert village_office.mails == []
    await village_office.passes(minutes=3)
    assert "puntos" not in text_of(village_office.mails[0])
    await village_office.tell(rated(at=at))
    await village_office.passes(days=1)
    assert len(village_office.mails) == 1


async def test_a_lapsed_customer_is_asked_back_once(village_office: Office) -> None:
    await village_office.tell(lapsed(village_office.world.now))
    await village_office.passes(days=4)
    assert village_office.subjects == ["Te echamos de menos en Casa Querencia"]
    await village_office.is_balanced()


async def test_the_same_facts_over_and_over_are_one_mail(office: Office) -> None:
    fact = filled()
    for _ in range(5):
        await office.tell(fact, fact)
    await office.passes(hours=3)
    assert len(office.mails) == 1


async def test_quiet_hours_hold_a_mail_until_eight_in_the_recipients_zone(village_office: Office) -> None:
    await village_office.tell(
        profile(after(seconds=1), zone="America/Los_Angeles"), filled(at=village_office.world.now)
    )
    await village_office.passes(hours=2, minutes=30)
    assert village_office.mails == []
    await village_office.passes(hours=1)
    assert len(village_office.mails) == 1
    assert await village_office.reasons() == ["quiet_hours"]


async def test_no_consent_no_marketing_and_the_reason_is_kept(village_office: Office) -> None:
    await village_office.tell(consent(granted=False, at=after(minutes=1)), filled())
    await village_office.passes(days=4)
    assert village_office.mails == []
    assert await village_office.reasons() == ["no_consent"] * 3


async def test_an_emptied_cart_is_left_alone(village_office: Office) -> None:
    await village_office.tell(filled(), emptied())
    await village_office.passes(days=4)
    assert village_office.mails == []
    assert await village_office.reasons() == ["empty_cart"]


async def test_who_belongs_to_no_shop_yet_is_written_to_by_none(village_office: Office) -> None:
    await village_office.tell(profile(of="cus_x"), told(SegmentEntered(segment="lapsed"), of="cus_y", store=""))
    await village_office.passes(hours=2)
    assert await village_office.reasons("cus_y") == ["no_shop"]
    assert village_office.mails == []


async def test_the_cap_holds_across_carts(village_office: Office) -> None:
    for number in range(3):
        await village_office.tell(filled(f"cart_{number}", at=village_office.world.now))
        await village_office.passes(hours=25)
    assert await village_office.reasons() == ["frequency_cap"] * 3
    reminder, help_ = "Has dejado algo en tu cesta de Casa Querencia", "¿Te ayudamos con tu pedido?"
    assert village_office.subjects == [reminder, help_, reminder, help_]
    at = village_office.world.now
    await village_office.tell(paid(at=at))
    await village_office.passes(hours=1)
    assert village_office.subjects[4:] == ["Gracias por tu pedido #1001"]


async def test_several_carts_at_once_are_reminded_of_once_a_day(village_office: Office) -> None:
    await village_office.tell(*(filled(f"cart_{number}") for number in range(4)))
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 1
    assert await village_office.reasons() == ["cooldown"] * 3


async def test_a_service_that_was_away_drops_what_is_too_old(village_office: Office) -> None:
    await village_office.tell(filled())
    village_office.world.clock.move_to(after(hours=20))
    await village_office.world.settle()
    assert await village_office.reasons() == ["expired"]
    await village_office.passes(hours=8)
    assert village_office.subjects == ["¿Te ayudamos con tu pedido?"]


async def test_mails_speak_the_recipients_language_and_hide_nothing_in_names(village_office: Office) -> None:
    evil = profile(after(seconds=1), locale="pt-AO", first_name="<b>Ana</b>\r\nBcc: all@example.com")
    await village_office.tell(evil, filled())
    await village_office.passes(hours=3)
    (mail,) = village_office.mails
    assert mail["Subject"] == "Deixou algo no seu carrinho em Casa Querencia"
    assert mail["Bcc"] is None
    assert mail["To"].addresses[0].addr_spec == "ana@example.com"
    assert "<b>Ana</b>" not in html_of(mail)
    assert "25,00" in text_of(mail)
    assert "https://shop.example/cart/cart_1" in html_of(mail)
    assert mail["List-ID"] == "<marketing.sto-1.example.invalid>"


async def test_models_equal_migrations(office: Office) -> None:
    assert await migrate.differences(notifications, office.world.settings.database_of("notifications")) == []


async def test_a_mail_due_just_before_the_night_comes_in_the_morning(village_office: Office) -> None:
    """Due at 21:59:30 in Madrid, looked at after 22:00: the night does not count towards its six hours."""
    await village_office.tell(filled(at=after(hours=6, minutes=59, seconds=30)))
    await village_office.passes(hours=18, minutes=59)
    assert village_office.mails == []
    await village_office.passes(minutes=3)
    assert len(village_office.mails) == 1
    assert await village_office.reasons() == ["quiet_hours"]


async def test_a_purchase_told_late_stops_the_rest_and_flags_what_was_sent(office: Office) -> None:
    await office.tell(filled())
    await office.passes(hours=3)
    await office.tell(placed(cart="cart_1", at=after(hours=1)))
    await office.passes(days=4)
    assert len(office.mails) == 1
    found = (await office.get("/v1/decisions"))["data"]
    assert sorted((row["step"], row["reason"]) for row in found) == [
        ("cart_help", "purchased"),
        ("cart_reminder", "late_purchase"),
    ]
    assert (await office.is_balanced())["sent_after_known_purchase"] == 0


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("pt-AO", "Deixou algo no seu carrinho em Casa Querencia"),
        ("es-419", "Has dejado algo en tu cesta de Casa Querencia"),
        ("en_GB", "You left something in your cart at Casa Querencia"),
        ("", "Has dejado algo en tu cesta de Casa Querencia"),
    ],
)
async def test_a_mail_is_in_the_persons_language_else_in_the_shops(
    village_office: Office, locale: str, subject: str
) -> None:
    await village_office.tell(profile(after(seconds=1), locale=locale), filled())
    await village_office.passes(hours=3)
    assert village_office.subjects == [subject]


async def test_an_old_zone_name_counts_and_an_invalid_one_harms_nobody(village_office: Office) -> None:
    """At 20:30 UTC it is 22:30 in Kyiv and 21:30 in the shop's Madrid."""
    for who, zone in (("cus_olena", "Europe/Kiev"), ("cus_marvin", "Mars/Olympus")):
        await village_office.tell(profile(of=who, email=f"{who}@example.com", zone=zone), consent(of=who))
        await village_office.tell(filled(f"cart_{who}", of=who, at=after(hours=6, minutes=30)))
    await village_office.passes(hours=9)
    assert [str(mail["To"]) for mail in village_office.mails] == ["cus_marvin@example.com"]
    assert await village_office.reasons("cus_olena") == ["quiet_hours"]
    await village_office.passes(hours=9, minutes=2)
    assert [str(mail["To"]) for mail in village_office.mails][1:] == ["cus_olena@example.com"]


async def test_after_six_hours_away_what_is_still_good_goes_out_in_order(village_office: Office) -> None:
    people = [f"cus_p{number}" for number in range(8)]
    for number, who in enumerate(people):
        await village_office.tell(profile(of=who, email=f"{who}@example.com"), consent(of=who))
        await village_office.tell(filled(f"cart_{number}", of=who, at=after(hours=19, minutes=45 * number)))
    world = village_office.world
    world.clock.move_to(after(hours=19 + 8, minutes=30))
    await world.beat()
    running = world.of("notifications")
    while await village_office.reasons(people[0]) != ["expired"] or await running.timers.step():
        await running.inbox.step(0.05)
        await running.timers.step()
    handed = await HandOver(running)._claim()
    assert [one.message.customer for one in handed] == people[1:]


EVIL = [
    "<script>alert(1)</script>",
    "{{ 7*7 }}",
    "</mj-text>",
    "x" * 10_000,
    "\u202eمرحبا",
    "🎁",
    "Mug\r\nBcc: b@x.com",
]


async def test_what_a_product_is_called_can_do_nothing_to_the_mail(village_office: Office) -> None:
    lines = tuple(
        CartLine(product=f"p{n}", title=title, price=100, url="javascript:alert(1)", image="http://10.0.0.1/x.png")
        for n, title in enumerate(EVIL)
    )
    await village_office.tell(profile(after(seconds=1), first_name='Ana, "b@x.com" <b@x.com>\r\nBcc: c@x.com'))
    await village_office.tell(filled(lines=lines, restore_url="javascript:alert(1)"))
    await village_office.passes(hours=3)
    (mail,) = village_office.mails
    html, text = html_of(mail), text_of(mail)
    assert (mail["Bcc"], [address.addr_spec for address in mail["To"].addresses]) == (None, ["ana@example.com"])
    for bad in ("<script>", "javascript:", "10.0.0.1", "</mj-text>", "x" * 300):
        assert bad not in html
    assert "{{ 7*7 }}" in text
    assert "🎁" in html
    assert html.rstrip().endswith("</html>")
    assert 'href="https://shop.example"' in html


async def test_who_is_erased_while_three_timers_wait_has_none_left(office: Office) -> None:
    timers = select(tables.kernel.timer.c.name)
    await office.tell(filled(), filled("cart_2"), lapsed())
    assert len(await office.world.rows("notifications", timers)) == 3
    at = office.world.now
    await office.tell(told(CustomerErased(at=at), at))
    assert await office.world.rows("notifications", timers) == []
    await office.passes(days=5)
    assert office.mails == []
    assert await office.world.rows("notifications", select(tables.message.c.id)) == []
    await office.tell(profile(office.world.now, of="cus_new"), filled("cart_3", of="cus_new", at=office.world.now))
    await office.passes(hours=3)
    assert await office.reasons("cus_new") == ["suppressed"]
