"""Mail by SMTP over a few kept connections; a letter's fate is read step by step, so that a no is a certain no.

Until DATA begins, whatever goes wrong means that the server does not have the letter. From then on only an answer with
a code is certain; silence or a lost connection is unknown.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.notifications.channels.base import Fate, Letter, Outcome

STEP_SECONDS = 20.0
LETTER_SECONDS = 45.0
NO_SUCH_ADDRESS = {550, 551, 553}


class SmtpChannel:
    """Sends by one server; each connection carries one letter at a time and is used again."""

    name = "email"
    at_once = 4

    def __init__(self, url: str, *, step_seconds: float = STEP_SECONDS) -> None:
        self._url = urlsplit(url)
        self._seconds = step_seconds
        self._idle: list[SMTP] = []

    async def send(self, letter: Letter) -> Outcome:
        """Hand one letter over; raises nothing of the server's or the network's."""
        try:
            client = await self._greeted(letter)
        except SMTPResponseException as answer:
            return _not_sent(answer.code)
        except (SMTPException, OSError, TimeoutError):
            return Outcome(Fate.REFUSED_FOR_NOW, "no connection")
        outcome = await self._recipient(client, letter) or await self._data(client, letter)
        await self._put_back(client, outcome)
        return outcome

    async def find(self, letter_id: str) -> Outcome | None:
        """SMTP cannot tell what became of a letter."""
        return None

    async def forget(self, letter_id: str) -> None:
        """What was sent is out of our hands."""

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        clients, self._idle = self._idle, []
        for client in clients:
            with suppress(SMTPException, OSError, TimeoutError):
                await client.quit()
            client.close()

    async def _greeted(self, letter: Letter) -> SMTP:
        """A connection on which MAIL was accepted; a kept one that the server has dropped meanwhile is replaced."""
        options = [] if letter.recipient.isascii() else ["SMTPUTF8"]  # a server that cannot says so with a 5xx
        while self._idle:
            client = self._idle.pop()
            try:
                await client.mail(letter.sender, options=options)
                return client
            except SMTPResponseException as answer:
                await self._put_back(client, _not_sent(answer.code))
                if answer.code != 421:
                    raise
            except (SMTPException, OSError, TimeoutError):
                client.close()
        client = await self._connected()
        try:
            await client.mail(letter.sender, options=options)
        except (SMTPException, OSError, TimeoutError):
            client.close()
            raise
        return client

    async def _connected(self) -> SMTP:
        secure = self._url.scheme == "smtps"
        client = SMTP(
            hostname=self._url.hostname or "127.0.0.1",
            port=self._url.port or (465 if secure else 25),
            username=unquote(self._url.username) if self._url.username else None,
            password=unquote(self._url.password) if self._url.password else None,
            use_tls=secure,
            timeout=self._seconds,
        )
        await client.connect()
        return client

    async def _recipient(self, client: SMTP, letter: Letter) -> Outcome | None:
        """None when the recipient was accepted."""
        try:
            await client.rcpt(letter.recipient, encoding="utf-8")
        except SMTPResponseException as answer:
            return _not_sent(answer.code, answer.message, at_recipient=True)
        except (SMTPException, OSError, TimeoutError):
            return Outcome(Fate.REFUSED_FOR_NOW, "connection lost")
        return None

    async def _data(self, client: SMTP, letter: Letter) -> Outcome:
        try:
            answer = await _within(LETTER_SECONDS, client.data(letter.body))
        except SMTPResponseException as refusal:
            return _not_sent(refusal.code)
        except TimeoutError:
            return Outcome(Fate.UNKNOWN, "no answer after DATA")
        except (SMTPException, OSError):
            return Outcome(Fate.UNKNOWN, "connection lost after DATA")
        return Outcome(Fate.ACCEPTED, "", answer.code)

    async def _put_back(self, client: SMTP, outcome: Outcome) -> None:
        try:
            if outcome.code in {0, 421} or not client.is_connected:
                client.close()
                return
            if outcome.fate is not Fate.ACCEPTED:
                await client.rset()
        except (SMTPException, OSError, TimeoutError):
            client.close()
            return
        self._idle.append(client)


async def _within(seconds: float, work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(seconds):
        return await work


def _not_sent(code: int, text: str = "", *, at_recipient: bool = False) -> Outcome:
    if code < 500:
        return Outcome(Fate.REFUSED_FOR_NOW, f"smtp {code}", code)
    unknown_person = at_recipient and code in NO_SUCH_ADDRESS and not text.startswith("5.7.")
    return Outcome(Fate.REFUSED, f"smtp {code}", code, no_such_address=unknown_person)
