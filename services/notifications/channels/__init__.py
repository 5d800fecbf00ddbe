"""The ways out of the house: one file each, one line each in this list."""

from collections.abc import Callable

from services.notifications.channels.base import Channel, Fate, Letter, Outcome
from services.notifications.channels.maildir import MaildirChannel
from services.notifications.channels.smtp import SmtpChannel
from shared.settings import Settings


def _email(settings: Settings) -> Channel:
    return SmtpChannel(settings.smtp_url) if settings.smtp_url else MaildirChannel(settings.data_dir / "maildir")


CHANNELS: dict[str, Callable[[Settings], Channel]] = {"email": _email}

__all__ = ["CHANNELS", "Channel", "Fate", "Letter", "Outcome"]
