"""What the launchers of real servers share: a free port, waiting for one, and why a server cannot be had."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

CACHE = Path(__file__).resolve().parents[2] / ".cache"


class NotToBeHad(Exception):
    """A real server cannot be started on this machine; the message says why in one line."""


class Process(Protocol):
    """What tests ask of a process: a `Popen` is one."""

    args: Any
    pid: int
    returncode: int | Any

    def poll(self) -> int | None:
        """The exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises TimeoutExpired."""

    def kill(self) -> None:
        """SIGKILL."""


@contextmanager
def alone_on_this_machine(name: str) -> Iterator[None]:
    """Fetch or make something in the cache's folder of this name while no other process does."""
    (CACHE / name).mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_port(port: int, process: Process, log: Path, seconds: float = 60) -> None:
    """Return once the port answers; raises RuntimeError with the end of the log if the process dies or is too slow."""
    end = time.monotonic() + seconds
    while not answers(port):
        if process.poll() is not None or time.monotonic() > end:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            message = f"{process.args!r:.200} does not answer on port {port}:\n{tail}"
            raise RuntimeError(message)
        time.sleep(0.05)


def end(process: Process, signal_number: int = signal.SIGTERM, seconds: float = 30) -> None:
    """Send the signal, wait for the process, and kill it after so many seconds."""
    if process.poll() is not None:
        return
    os.kill(process.pid, signal_number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
