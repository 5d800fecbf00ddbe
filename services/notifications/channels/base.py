"""What a channel is: it takes a letter and says what became of it."""

from enum import StrEnum
from typing import Protocol

import msgspec


class Fate(StrEnum):
    """What became of a letter; UNKNOWN: the other side may have it."""

    ACCEPTED = "accepted"
    REFUSED_FOR_NOW = "refused_for_now"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Outcome(msgspec.Struct, frozen=True):
    """A letter's fate; `code` is the server's (0: none), `no_such_address` that it will never take this recipient."""

    fate: Fate
    detail: str = ""
    code: int = 0
    no_such_address: bool = False


class Letter(msgspec.Struct, frozen=True):
    """A finished message: envelope, and the bytes that go out, the same at every attempt."""

    id: str
    sender: str
    recipient: str
    body: bytes


class Channel(Protocol):
    """A way out of the house; `at_once` letters are handed over side by side, so at most so many can be unknown."""

    name: str
    at_once: int

    async def send(self, letter: Letter) -> Outcome:
        """Hand one letter over; raises nothing."""
        ...

    async def find(self, letter_id: str) -> Outcome | None:
        """What became of a letter whose outcome we lost; None if this channel cannot tell."""
        ...

    async def forget(self, letter_id: str) -> None:
        """Remove what this channel keeps of a letter, because its recipient is to be forgotten."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
