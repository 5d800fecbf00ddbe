"""What becomes of a mail when the server refuses, stalls or goes away, and when we die at any point on the way."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Table, select, update

from services.notifications import tables
from services.notifications.channels import Channel
from services.notifications.channels.maildir import MaildirChannel
from services.notifications.outgoing import HandOver
from services.notifications.service import notifications
from shared.events.ingest import CustomerErased
from shared.running import Running
from shared.settings import Settings
from tests.notifications.office import Office
from tests.notifications.some import after, consent, filled, lapsed, paid, placed, profile, told
from tests.real.smtp import Act, SmtpServer
from tests.world import a_world

REMINDED = {"cart_reminder": "accepted"}


async def test_a_refusal_for_now_is_tried_again_as_the_same_mail(smtp_office: Office, smtp_server: SmtpServer) -> None:
    smtp_server.answers("DATA", "454 throttled", "421 shutting down")
    smtp_server.answers("RCPT", "450 greylisted")
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=2, minutes=1)
    assert await smtp_office.ledger() == {"cart_reminder": "waiting"}
    await smtp_office.passes(minutes=30)
    assert await smtp_office.ledger() == REMINDED
    (mail,) = smtp_server.mails
    found = (await smtp_office.get("/v1/messages?customer=cus_ana"))["data"][0]
    assert (found["attempts"], mail.message["Message-ID"]) == (4, f"<{found['id']}@example.invalid>")
    await smtp_office.is_balanced()


async def test_a_server_that_never_takes_it_makes_the_mail_expire(smtp_office: Office, smtp_server: SmtpServer) -> None:
    smtp_server.always_answers("MAIL", "421 go away")
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=9)
    assert await smtp_office.ledger() == {"cart_reminder": "refused"}
    assert await smtp_office.reasons() == ["expired"]
    assert (await smtp_office.is_balanced())["messages_refused"] == 1


async def test_no_such_user_is_final_suppresses_the_address_and_others_go_on(
    smtp_office: Office, smtp_server: SmtpServer
) -> None:
    smtp_server.answers("RCPT", "550 no such user")
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=3)
    assert await smtp_office.ledger() == {"cart_reminder": "refused"}
    at = smtp_office.world.now
    await smtp_office.tell(placed(at=at), paid(at=at))
    await smtp_office.passes(hours=1)
    assert smtp_server.mails == []
    assert "suppressed" in await smtp_office.reasons()
    held = await smtp_office.get("/v1/suppressions")
    assert {(row["purpose"], row["reason"]) for row in held["data"]} == {
        ("marketing", "hard_bounce"),
        ("transactional", "hard_bounce"),
    }


async def test_a_server_that_is_not_there_yet_is_a_certain_no_and_gets_the_mail_once_it_is(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with a_world([notifications], tmp_path, smtp_url=f"smtp://127.0.0.1:{unused_tcp_port}") as world:
        office = await Office(world).opened()
        await office.tell(filled())
        await office.passes(hours=2, minutes=10)
        assert await office.ledger() == {"cart_reminder": "waiting"}
        server = SmtpServer()
        server.port = unused_tcp_port
        server.start()
        try:
            await office.passes(hours=2)
            assert len(server.mails) == 1
            assert await office.ledger() == REMINDED
        finally:
            await world.of("notifications").loops["hand over"].step()
            server.stop()


async def test_a_recipient_that_the_server_cannot_spell_takes_no_neighbours_along(
    smtp_office: Office, smtp_server: SmtpServer
) -> None:
    await smtp_office.tell(profile(of="cus_bea", email="ä@bücher.de"), consent(of="cus_bea"))
    await smtp_office.tell(filled(), filled("cart_2", of="cus_bea"))
    await smtp_office.passes(hours=3)
    assert [mail.recipients for mail in smtp_server.mails] == [("ana@example.com",)]
    (row,) = (await smtp_office.get("/v1/messages?customer=cus_bea"))["data"]
    assert row["state"] == "refused"
    await smtp_office.is_balanced()


@pytest.mark.parametrize("answer", [Act.DROP, Act.KEEP_AND_DROP])
async def test_a_connection_lost_after_data_is_unknown_and_never_sent_again(
    smtp_office: Office, smtp_server: SmtpServer, answer: Act
) -> None:
    smtp_server.answers("DATA", answer)
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=20)
    assert await smtp_office.ledger() == {"cart_reminder": "unknown"}
    assert len(smtp_server.mails) == (answer is Act.KEEP_AND_DROP)
    assert (await smtp_office.is_balanced())["messages_unknown"] == 1
    listed = await smtp_office.get("/v1/messages?state=unknown")
    assert [row["step"] for row in listed["data"]] == ["cart_reminder"]


async def test_an_unknown_outcome_is_cleared_up_by_hand_once(smtp_office: Office, smtp_server: SmtpServer) -> None:
    smtp_server.answers("DATA", Act.KEEP_AND_DROP)
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=3)
    (row,) = (await smtp_office.get("/v1/messages"))["data"]
    path = f"/v1/messages/{row['id']}/outcome"
    for key, status in (("one", 200), ("one", 200), ("two", 409)):
        said = await smtp_office.world.post(
            path, {"outcome": "accepted"}, headers={**smtp_office.headers, "idempotency-key": key}
        )
        assert said.status_code == status, said.text
    missing = await smtp_office.world.post(
        "/v1/messages/msg_none/outcome",
        {"outcome": "accepted"},
        headers={**smtp_office.headers, "idempotency-key": "x"},
    )
    assert missing.status_code == 404
    assert (await smtp_office.is_balanced())["messages_accepted"] == 1


async def _claimed(office: Office) -> None:
    """A cart mail stands claimed in the ledger, and nobody has handed it over."""
    await office.tell(filled())
    office.world.clock.move_to(after(hours=2, minutes=1))
    await office.world.beat()
    running = office.world.of("notifications")
    while await office.ledger() != {"cart_reminder": "claimed"}:
        await running.inbox.step(0.05)
        await running.timers.step()


async def test_a_purchase_between_claim_and_hand_over_withdraws_the_mail(village_office: Office) -> None:
    await _claimed(village_office)
    await village_office.world.publish(placed(cart="cart_1", at=after(hours=1)))
    while not await village_office.world.of("notifications").inbox.step(0.05):
        continue
    await village_office.world.settle()
    assert village_office.mails == []
    assert await village_office.ledger() == {"cart_reminder": "withdrawn"}
    assert (await village_office.is_balanced())["messages_withdrawn"] == 1


@pytest.mark.parametrize("journey", ["abandoned_cart", "win_back"])
async def test_a_purchase_withdraws_even_the_last_mail_while_it_waits_for_its_next_try(
    smtp_office: Office, smtp_server: SmtpServer, journey: str
) -> None:
    if journey == "abandoned_cart":
        await smtp_office.tell(filled())
        await smtp_office.passes(hours=71)
    else:
        await smtp_office.tell(lapsed())
    smtp_server.always_answers("MAIL", "421 go away")
    await smtp_office.passes(hours=1, minutes=1)
    before = len(smtp_server.mails)
    at = smtp_office.world.now
    await smtp_office.tell(placed(at=at))
    smtp_server.always_answers("MAIL", Act.ACCEPT)
    await smtp_office.passes(hours=5)
    assert len(smtp_server.mails) == before
    assert (await smtp_office.reasons())[-1] == "purchased"
    assert (await smtp_office.is_balanced())["messages_withdrawn"] == 1


async def test_a_next_try_that_falls_into_the_night_waits_for_the_morning(
    smtp_office: Office, smtp_server: SmtpServer
) -> None:
    await smtp_office.tell(lapsed(after(hours=7, minutes=58)))
    await smtp_office.passes(hours=8, minutes=57)
    smtp_server.answers("DATA", *["454 throttled"] * 2)
    await smtp_office.passes(hours=8)
    assert smtp_server.mails == []
    await smtp_office.passes(hours=3)
    assert len(smtp_server.mails) == 1
    await smtp_office.is_balanced()


async def test_who_moves_while_a_mail_waits_for_its_next_try_gets_it_in_the_new_zones_morning(
    smtp_office: Office, smtp_server: SmtpServer
) -> None:
    """Claimed at 8:05 in Madrid for six hours; in Los Angeles the morning comes an hour and a half later than that."""
    await smtp_office.tell(filled(at=after(hours=17, minutes=5)))
    smtp_server.always_answers("MAIL", "421 go away")
    await smtp_office.passes(hours=19, minutes=7)
    await smtp_office.tell(profile(smtp_office.world.now, zone="America/Los_Angeles"))
    smtp_server.always_answers("MAIL", Act.ACCEPT)
    await smtp_office.passes(hours=7)
    assert smtp_server.mails == []
    await smtp_office.passes(hours=2)
    assert len(smtp_server.mails) == 1
    await smtp_office.is_balanced()


async def test_an_erased_customers_next_try_is_withdrawn_with_its_timer(
    smtp_office: Office, smtp_server: SmtpServer
) -> None:
    smtp_server.answers("DATA", "454 throttled")
    await smtp_office.tell(filled())
    await smtp_office.passes(hours=2)
    await smtp_office.tell(told(CustomerErased(at=smtp_office.world.now), smtp_office.world.now))
    assert await smtp_office.ledger() == {"cart_reminder": "withdrawn"}
    assert await smtp_office.world.rows("notifications", select(tables.kernel.timer.c.name)) == []
    await smtp_office.passes(hours=5)
    assert smtp_server.mails == []
    await smtp_office.is_balanced()


async def test_killed_between_claim_and_hand_over_the_mail_goes_out_once(tmp_path: Path) -> None:
    async with a_world([notifications], tmp_path) as world:
        await _claimed(await Office(world).opened())
    async with a_world([notifications], tmp_path) as world:
        again = Office(world)
        world.clock.move_to(after(hours=2, minutes=2))
        await world.settle()
        assert await again.ledger() == REMINDED
        assert len(again.letters) == 1


@pytest.mark.parametrize("written", [False, True])
async def test_killed_while_handing_over_a_maildir_settles_what_happened(tmp_path: Path, written: bool) -> None:
    async with a_world([notifications], tmp_path) as world:
        office = Office(world)
        await office.opened()
        await _claimed(office)
        loop = HandOver(world.of("notifications"))
        (handed,) = await loop._claim()
        if written:
            await loop._send(handed)
        assert await office.ledger() == {"cart_reminder": "handing_over"}
    async with a_world([notifications], tmp_path) as world:
        again = Office(world)
        world.clock.move_to(after(hours=2, minutes=5))
        await again.passes(minutes=10)
        assert await again.ledger() == REMINDED
        assert len(again.letters) == 1
        await again.is_balanced()


async def test_killed_while_handing_over_by_smtp_is_unknown(tmp_path: Path, smtp_server: SmtpServer) -> None:
    url = f"smtp://127.0.0.1:{smtp_server.port}"
    async with a_world([notifications], tmp_path, smtp_url=url) as world:
        office = Office(world)
        await office.opened()
        await _claimed(office)
        await HandOver(world.of("notifications"))._claim()
    async with a_world([notifications], tmp_path, smtp_url=url) as world:
        again = Office(world)
        world.clock.move_to(after(hours=2, minutes=5))
        await again.passes(hours=1)
        assert await again.ledger() == {"cart_reminder": "unknown"}
        assert smtp_server.mails == []
        assert (await again.is_balanced())["messages_unknown"] == 1


async def test_a_step_that_is_in_the_ledger_is_never_claimed_again(village_office: Office) -> None:
    """Even if a run were put back, as by a backup: the ledger's key says no."""
    await village_office.tell(filled())
    await village_office.passes(hours=3)
    running = village_office.world.of("notifications")
    async with running.db.write() as tx:
        await tx.execute(update(tables.journey_run).values(position=0))
    await village_office.tell(filled(revision=2, at=after(hours=3)))
    await village_office.passes(hours=3)
    assert len(village_office.mails) == 1
    assert await village_office.reasons() == ["already_claimed"]
    await village_office.is_balanced()


async def test_two_who_hand_over_at_once_send_each_mail_once(office: Office) -> None:
    for number in range(4):
        await office.world.publish(paid(f"ord_{number}"))
    await _claimed_all(office, 4)
    first, second = (HandOver(office.world.of("notifications")) for _ in range(2))
    moved = await asyncio.gather(first.step(), second.step())
    assert sum(moved) == 4
    assert len(office.letters) == 4
    await office.is_balanced()


async def test_a_message_goes_out_by_its_own_channel_and_is_forgotten_there(office: Office) -> None:
    world, running = office.world, office.world.of("notifications")
    folders = {name: world.settings.data_dir / name for name in ("email", "pigeon")}
    by_pigeon = HandOver(running, {name: partial(_maildir, folder) for name, folder in folders.items()})
    for number in range(3):
        await world.publish(paid(f"ord_{number}"))
    await _claimed_all(office, 3)
    one = (await office.get("/v1/messages?state=claimed"))["data"][0]["id"]
    async with running.db.write() as tx:
        await tx.execute(update(tables.message).where(tables.message.c.id == one).values(channel="pigeon"))
    assert await by_pigeon.step() == 3
    assert [path.stem for path in (folders["pigeon"] / "new").iterdir()] == [one]
    assert len(list((folders["email"] / "new").iterdir())) == 2
    async with running.db.write() as tx:
        await tx.insert_many(tables.shred, [("acc_1", one, "pigeon")])
    assert await by_pigeon.step() == 1
    assert list((folders["pigeon"] / "new").iterdir()) == []
    await office.is_balanced()


def _maildir(folder: Path, _settings: Settings) -> Channel:
    return MaildirChannel(folder)


async def _claimed_all(office: Office, number: int) -> None:
    office.world.clock.move_to(after(hours=2, minutes=1))
    await office.world.beat()
    running = office.world.of("notifications")
    while (await office.get("/v1/messages?state=claimed"))["data"][number - 1 :] == []:
        await running.inbox.step(0.05)
        await running.timers.step()


async def test_who_has_a_parked_fact_gets_no_mail_until_it_is_redriven(village_office: Office) -> None:
    """A purchase that our code failed on may be what ends the cart: mails wait behind it."""
    await _claimed(village_office)
    running = village_office.world.of("notifications")
    async with running.db.write() as tx:
        row = ("acc_1", "cus_ana", "timer", "journey.step", b"{}", "test", "", after(hours=2))
        await tx.insert_many(running.kernel.parked, [row])
    await village_office.world.settle()
    assert village_office.mails == []
    async with running.db.write() as tx:
        await tx.delete_by_keys(running.kernel.parked, [("acc_1", "cus_ana")], by=("account", "customer"))
    await village_office.world.settle()
    assert len(village_office.mails) == 1


async def test_a_mail_our_code_fails_on_is_parked_others_go_on_and_redrive_sends_it(village_office: Office) -> None:
    world = village_office.world
    running = world.of("notifications")
    await _claimed(village_office)
    for name in (tables.message, tables.journey_run):
        await _renamed(running, name, "a_journey_we_no_longer_know")
    at = after(hours=2)
    await village_office.tell(profile(of="cus_bea", email="bea@example.com"), paid(of="cus_bea", at=at))
    await village_office.passes(minutes=12)
    assert [mail["To"] for mail in village_office.mails] == ["bea@example.com"]
    assert len(await world.rows("notifications", select(tables.kernel.parked.c.seq))) == 1
    for name in (tables.message, tables.journey_run):
        await _renamed(running, name, "abandoned_cart")
    await running.redrive()
    await world.settle()
    assert [mail["To"] for mail in village_office.mails] == ["bea@example.com", "ana@example.com"]
    await village_office.is_balanced()


async def _renamed(running: Running, table: Table, journey: str) -> None:
    async with running.db.write() as tx:
        await tx.execute(update(table).where(table.c.customer == "cus_ana").values(journey=journey))


async def test_a_mail_that_cannot_be_written_as_it_must_is_not_sent_and_the_reason_is_kept(tmp_path: Path) -> None:
    async with a_world([notifications], tmp_path, mail_from="shop@exam\nple.com") as world:
        office = await Office(world).opened()
        await office.tell(filled())
        await office.passes(hours=4)
        assert await office.ledger() == {"cart_reminder": "refused"}
        assert await office.reasons() == ["render_error"]
        (row,) = (await office.get("/v1/messages"))["data"]
        assert row["detail"].startswith("render_error: control character in header")
        await office.is_balanced()
