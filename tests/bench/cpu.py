"""CPU seconds of this process and of a PostgreSQL server with all its backends."""

import os
import resource
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """User and system seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def process_seconds(pid: int) -> float:
    """Seconds of one process, its reaped children included."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / TICK if fields else 0.0


def family_seconds(pid: int) -> float:
    """Seconds of a server: the process, its reaped children, and those alive."""
    total = process_seconds(pid)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields and fields[1] == str(pid):
                total += (int(fields[11]) + int(fields[12])) / TICK
    return total
