"""Notifications in a World: facts go in by the bus, mails come out of a maildir or an SMTP server."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from services.notifications import tables
from services.notifications.records import Message
from shared.access import digest_of, new_key
from shared.events import Event
from shared.events.config import KeyConfigured, StoreConfigured
from tests.notifications.some import ANA, NOON, STORE, consent, profile, told
from tests.world import World

SHOP = StoreConfigured(
    id=STORE,
    revision=1,
    name="Casa Querencia",
    currency="EUR",
    zone="Europe/Madrid",
    locale="es-ES",
    url="https://shop.example",
    email="hola@shop.example",
    postal_address="Calle Mayor 1, Madrid",
)


class Office:
    """One account with one shop, and Ana, who agreed to marketing by mail."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = new_key("server")

    async def opened(self) -> "Office":
        """Set the clock to noon and make shop, key and Ana known."""
        self.world.clock.move_to(NOON)
        key = KeyConfigured(id="key_1", revision=1, kind="server", digest=digest_of(self.key))
        await self.world.publish(told(SHOP, of=""), told(key, of="", store=""))
        await self.tell(profile(), consent())
        return self

    async def tell(self, *events: Event[Any]) -> None:
        """Facts come in, and all that follows from them is done."""
        await self.world.publish(*events)
        await self.world.settle()

    async def passes(self, **spans: float) -> None:
        """Business time passes."""
        await self.world.passes(**spans)

    @property
    def letters(self) -> list[Path]:
        """The files in the maildir."""
        folder = self.world.settings.data_dir / "maildir" / "new"
        return sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []

    @property
    def mails(self) -> list[EmailMessage]:
        """The mails in the maildir, oldest first."""
        return [_parsed(path.read_bytes()) for path in self.letters]

    @property
    def subjects(self) -> list[str]:
        """What the mails are about, oldest first."""
        return [str(mail["Subject"]) for mail in self.mails]

    async def ledger(self) -> dict[str, str]:
        """The state of each message, by step."""
        rows = await self.world.rows("notifications", select(*tables.message.columns))
        return {message.step: message.state for message in (Message(*row) for row in rows)}

    async def reasons(self, customer: str = ANA) -> list[str]:
        """Why messages to somebody were not sent, or not yet, the oldest first, as the API tells it."""
        found = await self.get(f"/v1/decisions?customer={customer}")
        return [row["reason"] for row in reversed(found["data"])]

    async def get(self, path: str) -> Any:
        """GET with the server key."""
        answer = await self.world.get(path, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def headers(self) -> dict[str, str]:
        """What a server sends along."""
        return {"authorization": f"Bearer {self.key}"}

    async def is_balanced(self) -> dict[str, int]:
        """The figures of the books, after proving them; the owners of the facts that came in are not in this world."""
        verdict = await self.world.verify()
        assert verdict.quiet
        assert [fault for fault in verdict.faults if "published 0, effected" not in fault] == []
        figures: dict[str, int] = verdict.books["notifications"]["figures"]
        return figures


def _parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    """The HTML of a mail."""
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def one_click_of(mail: EmailMessage) -> str:
    """The path of the one-click address."""
    return urlsplit(str(mail["List-Unsubscribe"]).strip("<>")).path
