"""A process of the program, forked by the nursery: waited for and killed like any other."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIRTH_SECONDS = 120.0


class Nursery:
    """The one nursery of this test process, started at the first need and gone with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._tickets = count()
        self._born: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self.news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True, name="nursery").start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self.news:
                if "born" in told:
                    self._born[told["ticket"]] = told["born"]
                    self.ended.pop(told["born"], None)  # the number of one who is long gone
                elif "gone" in told:
                    self.ended[told["gone"]] = told["code"]
                self.news.notify_all()
        self._process.wait()
        with self.news:
            self.news.notify_all()

    def bears(self, program: Sequence[str], folder: Path, environment: Mapping[str, str], out: Path) -> "Program":
        """Start `python -m program…` in a folder, its output appended to a file."""
        ticket = next(self._tickets)
        order = {"ticket": ticket, "program": list(program), "folder": str(folder), "out": str(out)}
        line = json.dumps({**order, "environment": dict(environment)}) + "\n"
        assert self._process.stdin is not None
        with self.news:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            self.news.wait_for(lambda: ticket in self._born or self._process.poll() is not None, BIRTH_SECONDS)
            assert ticket in self._born, "the nursery does not answer"
            return Program(self, self._born.pop(ticket), program)


@cache
def nursery() -> Nursery:
    """The nursery."""
    return Nursery()


class Program:
    """What tests do with a `Popen`, done with a process that is the nursery's child."""

    def __init__(self, home: Nursery, pid: int, words: Sequence[str]) -> None:
        self.args = list(words)
        self.pid = pid
        self.returncode: int | None = None
        self._home = home

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._settled(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; raises TimeoutExpired."""
        code = self._settled(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def kill(self) -> None:
        """SIGKILL."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _settled(self, seconds: float | None) -> int | None:
        with self._home.news:
            if self.returncode is None:
                self._home.news.wait_for(lambda: self.pid in self._home.ended, seconds)
                self.returncode = self._home.ended.get(self.pid)
            return self.returncode
