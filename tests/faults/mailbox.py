"""Where the mails of an installation end up: a maildir, or a real SMTP server."""

from collections import Counter
from email import message_from_bytes
from pathlib import Path

from tests.real.smtp import SmtpServer

MOST_CONNECTIONS = 4


class Mailbox:
    """The mails that arrived, by the ids of their messages."""

    def __init__(self, folder: Path, server: SmtpServer | None = None) -> None:
        self._folder = folder / "maildir" / "new"
        self.server = server

    @property
    def most_unknown(self) -> int:
        """How many mails one kill can leave unknown: a maildir can always be looked into."""
        return MOST_CONNECTIONS if self.server is not None else 0

    @property
    def arrived(self) -> Counter[str]:
        """How often each message is here."""
        if self.server is not None:
            return Counter(_message_id(mail.content) for mail in self.server.mails)
        return Counter(_message_id(path.read_bytes()) for path in self._folder.iterdir())


def _message_id(content: bytes) -> str:
    return str(message_from_bytes(content)["Message-ID"]).strip("<>").partition("@")[0]
