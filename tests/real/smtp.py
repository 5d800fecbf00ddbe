"""A real SMTP server in its own thread, whose answer to each command a test writes down beforehand."""

import asyncio
import enum
import itertools
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class Act(enum.Enum):
    """What the server can do to a command besides answering with a line of its own."""

    ACCEPT = enum.auto()
    DROP = enum.auto()  # cut the connection; a mail is lost
    KEEP_AND_DROP = enum.auto()  # after DATA: keep the mail, then cut the connection without an answer
    STALL = enum.auto()  # no answer until `release`, then accept


Answer = str | Act


@dataclass(frozen=True)
class ReceivedMail:
    """A mail that the server took over, with the number of the connection it came by."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    connection: int

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpServer:
    """Listens on a free port of 127.0.0.1 from `start` to `stop`; `mails` holds what it took over.

    It knows nobody by an address in `strangers`.
    """

    def __init__(self, *, utf8: bool = False) -> None:
        self._utf8 = utf8
        self.mails: list[ReceivedMail] = []
        self.port = 0
        self.connections = 0
        self.stalled = threading.Event()
        self._once: dict[str, deque[Answer]] = defaultdict(deque)
        self._always: dict[str, Answer] = {}
        self.strangers: set[str] = set()
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp", daemon=True)

    def answers(self, command: str, *script: Answer) -> None:
        """The next uses of EHLO, MAIL, RCPT or DATA get these answers, one each; later ones are accepted."""
        self._once[command].extend(script)

    def always_answers(self, command: str, answer: Answer) -> None:
        """Every use of the command gets this answer, unless a scripted one is left."""
        self._always[command] = answer

    @property
    def unused(self) -> dict[str, int]:
        """How many scripted answers are still to be given, by command."""
        return {command: len(script) for command, script in self._once.items() if script}

    def release(self) -> None:
        """Let all stalled commands go on, now and later."""
        self._loop.call_soon_threadsafe(self._released.set)

    def mails_to(self, recipient: str) -> list[ReceivedMail]:
        """The mails taken over for one address, in order."""
        return [mail for mail in self.mails if recipient in mail.recipients]

    def start(self) -> Self:
        """Listen; the port stays the same if the server was started before."""
        self._thread.start()
        self._listen = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        self.port = self._listen.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> asyncio.Server:
        return await self._loop.create_server(self._connection, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._listen.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _connection(self) -> SMTP:
        self.connections = next(self._numbers)
        return SMTP(_Handler(self, self.connections), hostname="localhost", loop=self._loop, enable_SMTPUTF8=self._utf8)

    def next_answer(self, command: str) -> Answer:
        """Take the next scripted answer to a command."""
        script = self._once[command]
        return script.popleft() if script else self._always.get(command, Act.ACCEPT)

    async def perform(self, answer: Answer, smtp: SMTP) -> str | None:
        """The line to answer with, None for acceptance; does not return when the connection is cut."""
        if isinstance(answer, str):
            return answer
        if answer is Act.STALL:
            self.stalled.set()
            await self._released.wait()
        elif answer is not Act.ACCEPT:
            transport = smtp.transport
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            await asyncio.Event().wait()  # the lost connection cancels this
        return None


class _Handler:
    """One connection's answers, under the names that aiosmtpd looks for."""

    def __init__(self, server: SmtpServer, connection: int) -> None:
        self._server = server
        self._connection = connection

    async def handle_EHLO(  # noqa: N802
        self, smtp: SMTP, session: Session, _envelope: Envelope, host_name: str, responses: list[str]
    ) -> list[str]:
        session.host_name = host_name
        line = await self._line("EHLO", smtp)
        return responses if line is None else [line]

    async def handle_MAIL(  # noqa: N802
        self, smtp: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        line = await self._line("MAIL", smtp)
        if line is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return line or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, smtp: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        stranger = address in self._server.strangers
        line = "550 5.1.1 nobody here by that name" if stranger else await self._line("RCPT", smtp)
        if line is None:
            envelope.rcpt_tos.append(address)
        return line or "250 OK"

    async def handle_DATA(self, smtp: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._server.next_answer("DATA")
        if answer is Act.KEEP_AND_DROP:
            self._keep(envelope)
        line = await self._server.perform(answer, smtp)
        if line is None:
            self._keep(envelope)
        return line or "250 kept"

    async def _line(self, command: str, smtp: SMTP) -> str | None:
        return await self._server.perform(self._server.next_answer(command), smtp)

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        sender = envelope.mail_from or ""
        self._server.mails.append(ReceivedMail(sender, tuple(envelope.rcpt_tos), content, self._connection))
