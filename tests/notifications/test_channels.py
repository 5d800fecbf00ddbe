"""Channels against a real SMTP server and a real folder: four fates, kept connections, nothing sent twice."""

import asyncio
from pathlib import Path

import pytest

from services.notifications.channels import CHANNELS, Fate, Letter
from services.notifications.channels.maildir import MaildirChannel
from services.notifications.channels.smtp import SmtpChannel
from shared.settings import Settings
from tests.real.smtp import Act, SmtpServer


def letter(number: int = 1, to: str = "ana@example.com") -> Letter:
    body = b"Subject: hello\r\n\r\n.leading dot\r\nbye\r\n"
    return Letter(f"msg_{number}", "shop@example.com", to, body)


def channel(server: SmtpServer, seconds: float = 5) -> SmtpChannel:
    return SmtpChannel(f"smtp://127.0.0.1:{server.port}", step_seconds=seconds)


async def test_letters_go_over_one_kept_connection(smtp_server: SmtpServer) -> None:
    smtp = channel(smtp_server)
    for number in range(5):
        assert (await smtp.send(letter(number))).fate is Fate.ACCEPTED
    await smtp.close()
    assert {mail.connection for mail in smtp_server.mails} == {1}
    assert smtp_server.mails[0].content.endswith(b".leading dot\r\nbye\r\n")


async def test_letters_at_once_take_a_connection_each(smtp_server: SmtpServer) -> None:
    smtp = channel(smtp_server)
    outcomes = await asyncio.gather(*(smtp.send(letter(number)) for number in range(4)))
    await smtp.close()
    assert [outcome.fate for outcome in outcomes] == [Fate.ACCEPTED] * 4
    assert smtp_server.connections == 4


@pytest.mark.parametrize(
    ("command", "answer", "fate"),
    [
        ("MAIL", "421 try later", Fate.REFUSED_FOR_NOW),
        ("MAIL", "450 busy", Fate.REFUSED_FOR_NOW),
        ("RCPT", "451 greylisted", Fate.REFUSED_FOR_NOW),
        ("RCPT", "550 no such user", Fate.REFUSED),
        ("RCPT", "550 5.7.1 not from you", Fate.REFUSED),
        ("DATA", "454 throttled", Fate.REFUSED_FOR_NOW),
        ("DATA", "421 shutting down", Fate.REFUSED_FOR_NOW),
        ("DATA", "554 looks like spam", Fate.REFUSED),
        ("MAIL", Act.DROP, Fate.REFUSED_FOR_NOW),
        ("RCPT", Act.DROP, Fate.REFUSED_FOR_NOW),
        ("DATA", Act.DROP, Fate.UNKNOWN),
        ("DATA", Act.KEEP_AND_DROP, Fate.UNKNOWN),
    ],
)
async def test_an_answer_decides_the_fate_and_the_next_letter_goes_on(
    smtp_server: SmtpServer, command: str, answer: str | Act, fate: Fate
) -> None:
    smtp_server.answers(command, answer)
    smtp = channel(smtp_server)
    outcome = await smtp.send(letter())
    assert outcome.fate is fate
    assert outcome.no_such_address is (answer == "550 no such user")
    assert (await smtp.send(letter(2, "bea@example.com"))).fate is Fate.ACCEPTED
    await smtp.close()
    assert len(smtp_server.mails_to("bea@example.com")) == 1


async def test_silence_after_data_is_unknown(smtp_server: SmtpServer) -> None:
    smtp_server.answers("DATA", Act.STALL)
    smtp = channel(smtp_server, seconds=0.3)
    outcome = await smtp.send(letter())
    smtp_server.release()
    await smtp.close()
    assert outcome.fate is Fate.UNKNOWN


async def test_silence_before_data_is_a_no_for_now(smtp_server: SmtpServer) -> None:
    smtp_server.answers("RCPT", Act.STALL)
    smtp = channel(smtp_server, seconds=0.3)
    outcome = await smtp.send(letter())
    smtp_server.release()
    await smtp.close()
    assert outcome.fate is Fate.REFUSED_FOR_NOW
    assert smtp_server.mails == []


async def test_a_connection_that_the_server_dropped_meanwhile_is_replaced(smtp_server: SmtpServer) -> None:
    smtp = channel(smtp_server)
    await smtp.send(letter())
    smtp_server.answers("MAIL", Act.DROP)
    assert (await smtp.send(letter(2))).fate is Fate.ACCEPTED
    await smtp.close()
    assert smtp_server.connections == 2


async def test_no_server_is_a_no_for_now() -> None:
    smtp = SmtpChannel("smtp://127.0.0.1:1")
    assert (await smtp.send(letter())).fate is Fate.REFUSED_FOR_NOW
    assert await smtp.find("msg_1") is None


async def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it_and_is_a_certain_no_elsewhere(
    smtp_server: SmtpServer,
) -> None:
    recipient = "ä@xn--bcher-kva.de"
    refusing = channel(smtp_server)
    assert (await refusing.send(letter(to=recipient))).fate is Fate.REFUSED
    assert (await refusing.send(letter(2))).fate is Fate.ACCEPTED
    await refusing.close()
    modern = SmtpServer(utf8=True).start()
    try:
        smtp = channel(modern)
        assert (await smtp.send(letter(to=recipient))).fate is Fate.ACCEPTED
        assert (await smtp.send(letter(2))).fate is Fate.ACCEPTED
        await smtp.close()
        assert [mail.recipients for mail in modern.mails] == [(recipient,), ("ana@example.com",)]
    finally:
        modern.stop()


async def test_a_maildir_keeps_a_letter_once_and_settles_what_was_lost(tmp_path: Path) -> None:
    maildir = MaildirChannel(tmp_path / "maildir")
    lost = await maildir.find("msg_1")
    assert lost is not None
    assert lost.fate is Fate.REFUSED_FOR_NOW
    for _ in range(2):
        assert (await maildir.send(letter())).fate is Fate.ACCEPTED
    assert [path.name for path in (tmp_path / "maildir" / "new").iterdir()] == ["msg_1.eml"]
    assert list((tmp_path / "maildir" / "tmp").iterdir()) == []
    found = await maildir.find("msg_1")
    assert found is not None
    assert found.fate is Fate.ACCEPTED
    await maildir.forget("msg_1")
    await maildir.forget("msg_1")
    await maildir.close()
    assert list((tmp_path / "maildir" / "new").iterdir()) == []


async def test_a_maildir_that_cannot_be_written_is_a_no_for_now(tmp_path: Path) -> None:
    (tmp_path / "maildir").write_text("a file is in the way")
    assert (await MaildirChannel(tmp_path / "maildir").send(letter())).fate is Fate.REFUSED_FOR_NOW


def test_the_channel_follows_the_settings(tmp_path: Path) -> None:
    assert isinstance(CHANNELS["email"](Settings(data_dir=tmp_path)), MaildirChannel)
    assert isinstance(CHANNELS["email"](Settings(smtp_url="smtp://mx.example")), SmtpChannel)
