"""Temporary files in memory where there is room, so that no test waits for the disk."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of this run's own is made in it
ROOM_BYTES = 4 * 2**30  # what the whole suite leaves there, with a wide margin


@contextmanager
def temporary_files_in_memory() -> Iterator[None]:
    """Let this process and those it starts make their temporary files in memory; without room nothing changes.

    A process that is killed loses nothing there; only a power cut would, and no test makes one.
    """
    if not _has_room():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="querencia-", dir=SHARED_MEMORY, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL's user has to get through
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = None  # forget what was found before
        try:
            yield
        finally:
            del os.environ["TMPDIR"]
            tempfile.tempdir = None


def _has_room() -> bool:
    return (
        "TMPDIR" not in os.environ
        and os.access(SHARED_MEMORY, os.W_OK)
        and not os.statvfs(SHARED_MEMORY).f_flag & os.ST_NOEXEC  # PostgreSQL's programs may have to be copied there
        and shutil.disk_usage(SHARED_MEMORY).free > ROOM_BYTES
    )
