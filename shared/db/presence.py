"""Who uses a file: locks of the operating system, which end with their process however it ends."""

import fcntl
from datetime import datetime
from pathlib import Path
from typing import IO

from shared.clock import machine_now


class Presence:
    """Shows other processes that this one uses a file, from `enter` to `leave`, by a lock on another beside it."""

    def __init__(self, path: str) -> None:
        self._path = Path(f"{path}-presence")
        self._file: IO[bytes] | None = None

    def enter(self) -> datetime | None:
        """From now on we are there; gives the machine time at which nobody else was, None if somebody is."""
        file = self._file = self._path.open("ab")
        alone = None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = machine_now()
        except BlockingIOError:
            pass
        fcntl.flock(file, fcntl.LOCK_SH)  # waits, for an instant, while another finds out whether it is alone
        return alone

    def leave(self) -> None:
        """We are not there any more."""
        if self._file is not None:
            self._file.close()
            self._file = None
