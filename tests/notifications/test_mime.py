"""Mails as bytes: readable by the standard parser, the same at every attempt, headers that cannot be injected."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from services.notifications.channels.mime import Mail, to_bytes


def a_mail(**fields: Any) -> Mail:
    known: dict[str, Any] = {
        "id": "msg_1",
        "domain": "q.example",
        "sender": ("Café, Ltd", "shop@q.example"),
        "recipient": "ana@example.com",
        "reply_to": "help@shop.example",
        "subject": "¿Te ayudamos con tu pedido, señora? 🎁",
        "html": "<p>señal</p>",
        "text": "señal\n.\nfin",
        "language": "es",
        "list_id": "<marketing.sto_1.q.example>",
        "one_click": "https://q.example/u/tok",
        "at": datetime(2026, 3, 10, 12, tzinfo=UTC),
    }
    return Mail(**{**known, **fields})


def parsed(mail: Mail) -> EmailMessage:
    message = message_from_bytes(to_bytes(mail), policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_a_mail_is_read_as_it_was_meant() -> None:
    message = parsed(a_mail())
    assert message["Subject"] == "¿Te ayudamos con tu pedido, señora? 🎁"
    assert message["From"].addresses[0].display_name == "Café, Ltd"
    assert [address.addr_spec for address in message["To"].addresses] == ["ana@example.com"]
    assert message["Message-ID"] == "<msg_1@q.example>"
    assert message["List-ID"] == "<marketing.sto_1.q.example>"
    assert message["List-Unsubscribe"] == "<https://q.example/u/tok>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    plain, html = message.iter_parts()
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert (plain.get_content().strip(), html.get_content().strip()) == ("señal\n.\nfin", "<p>señal</p>")


def test_every_line_ends_as_smtp_wants_it_and_is_short_enough() -> None:
    lines = to_bytes(a_mail(html="ñ" * 20_000)).split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998


def test_the_same_mail_is_the_same_bytes() -> None:
    assert to_bytes(a_mail()) == to_bytes(a_mail())


def test_an_address_beyond_ascii_stands_in_its_header_as_it_is() -> None:
    content = to_bytes(a_mail(recipient="ä@xn--bcher-kva.de"))
    assert content.startswith("To: ä@xn--bcher-kva.de\r\n".encode())


def test_transactional_mail_has_no_one_click() -> None:
    assert "List-Unsubscribe" not in parsed(a_mail(one_click="", reply_to=""))


@pytest.mark.parametrize("evil", ["Hi\r\nBcc: b@x.com", "Hi\nBcc: b@x.com", "Hi\x00"])
@pytest.mark.parametrize("field", ["subject", "recipient", "reply_to", "list_id", "one_click", "sender"])
def test_a_control_character_in_a_header_is_refused(field: str, evil: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        to_bytes(a_mail(**{field: (evil, "shop@q.example") if field == "sender" else evil}))
