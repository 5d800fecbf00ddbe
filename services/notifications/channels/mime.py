"""A mail as bytes, by the standard library's older and cheaper half, with headers that cannot be injected."""

import re
from datetime import datetime
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr

import msgspec

MAX_HEADER = 200
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
CHEAP = compat32.clone(linesep="\r\n", max_line_length=998)  # the newer policies parse and fold each header again


class Mail(msgspec.Struct, frozen=True):
    """A mail before it is bytes; `one_click` is the address of RFC 8058, '' for mail that needs none."""

    id: str
    domain: str
    sender: tuple[str, str]
    recipient: str
    reply_to: str
    subject: str
    html: str
    text: str
    language: str
    list_id: str
    one_click: str
    at: datetime


def message_id(mail_id: str, domain: str) -> str:
    """The Message-ID of a mail: the same at every attempt."""
    return f"<{mail_id}@{domain}>"


def to_bytes(mail: Mail) -> bytes:
    """The mail in SMTP's form; raises ValueError where a header holds a control character."""
    root = MIMEMultipart("alternative", boundary=f"=_{mail.id}")
    for name, value in _headers(mail):
        root[name] = _safe(name, value)
    for kind, content in (("plain", mail.text), ("html", mail.html)):
        part = MIMEText(content, kind, "utf-8")
        del part["MIME-Version"]
        root.attach(part)
    return _to(mail.recipient) + root.as_bytes(policy=CHEAP)


def _to(recipient: str) -> bytes:
    """The recipient's header, written apart: an address may be UTF-8 (RFC 6532) and must not be encoded in words."""
    return f"To: {_safe('To', recipient)}\r\n".encode()


def _headers(mail: Mail) -> list[tuple[str, str]]:
    name, address = mail.sender
    _refuse_controls("From", name)
    headers = [
        ("From", formataddr((name[:MAX_HEADER], address))),
        ("Subject", _encoded(mail.subject[:MAX_HEADER])),
        ("Date", format_datetime(mail.at)),
        ("Message-ID", message_id(mail.id, mail.domain)),
        ("Content-Language", mail.language),
        ("List-ID", mail.list_id),
        ("Auto-Submitted", "auto-generated"),
    ]
    if mail.reply_to:
        headers.append(("Reply-To", mail.reply_to))
    if mail.one_click:
        headers.append(("List-Unsubscribe", f"<{mail.one_click}>"))
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return headers


def _encoded(value: str) -> str:
    _refuse_controls("Subject", value)
    return value if value.isascii() else Header(value, "utf-8", maxlinelen=76).encode(linesep="\r\n")


def _safe(name: str, value: str) -> str:
    _refuse_controls(name, value.replace("\r\n ", " "))
    return value


def _refuse_controls(name: str, value: str) -> None:
    if CONTROLS.search(value):
        raise ValueError(f"control character in header {name}")
