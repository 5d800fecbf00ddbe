"""Mail into a maildir when no server is set; a letter's file name is its id, so a lost outcome can be looked up."""

import asyncio
import os
from pathlib import Path

from services.notifications.channels.base import Fate, Letter, Outcome


class MaildirChannel:
    """Writes each letter to `tmp`, syncs it and moves it to `new`; writing it again changes nothing."""

    name = "email"
    at_once = 16

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, letter: Letter) -> Outcome:
        """Keep one letter."""
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as fault:
            return Outcome(Fate.REFUSED_FOR_NOW, f"maildir: {fault.strerror}")
        return Outcome(Fate.ACCEPTED)

    async def find(self, letter_id: str) -> Outcome | None:
        """Accepted if the letter is there; if not, it was never kept and may be sent again."""
        there = await asyncio.to_thread(self._path(letter_id).exists)
        return Outcome(Fate.ACCEPTED) if there else Outcome(Fate.REFUSED_FOR_NOW, "not in the maildir")

    async def forget(self, letter_id: str) -> None:
        """Remove a letter, because its recipient is to be forgotten."""
        await asyncio.to_thread(self._path(letter_id).unlink, missing_ok=True)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _path(self, letter_id: str) -> Path:
        return self._folder / "new" / f"{letter_id}.eml"

    def _write(self, letter: Letter) -> None:
        for name in ("tmp", "new", "cur"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        draft = self._folder / "tmp" / f"{letter.id}.{os.getpid()}"
        with draft.open("wb") as file:
            file.write(letter.body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path(letter.id))
        self._sync(self._folder / "new")

    def _sync(self, folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
