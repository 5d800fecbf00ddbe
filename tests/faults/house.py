"""A whole installation as child processes of the true program, killed and started again at will."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from services.ingest.vault import Vault
from tests.real.processes import end, free_port, wait_for_port

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "loyalty", "scoring", "notifications")
MASTER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
PATIENCE_SECONDS = 90.0


class House:
    """One process for everything (embedded), or one for each service on PostgreSQL and Kafka (distributed)."""

    def __init__(self, folder: Path, mode: Mapping[str, str]) -> None:
        self.folder = folder
        self.distributed = bool(mode)
        self.offset = 0.0
        self._given = {f"QUERENCIA_{name.upper()}": value for name, value in mode.items()}
        self._groups = [(name,) for name in SERVICES] if mode else [SERVICES]
        self._ports = {name: free_port() for group in self._groups for name in group[:1]}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.kills = 0
        self.keys: dict[str, str] = {}
        self._http = httpx.Client(timeout=10)

    @property
    def heads(self) -> list[str]:
        """The names of the processes: each is called after its first service."""
        return list(self._ports)

    def head_of(self, service: str) -> str:
        """The process in which a service runs."""
        return next(group[0] for group in self._groups if service in group)

    def environment(self, head: str = "ingest") -> dict[str, str]:
        """What the processes of this installation are told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUERENCIA_")}
        return {
            **kept,
            **self._given,
            "QUERENCIA_DATA_DIR": str(self.folder),
            "QUERENCIA_HTTP_PORT": str(self._ports[head]),
            "QUERENCIA_MASTER_KEY": MASTER_KEY,
            "QUERENCIA_CLOCK_OFFSET_SECONDS": str(self.offset),
            "PYTHONPATH": str(ROOT),
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of the program to its end."""
        return subprocess.run(
            [sys.executable, "-m", "services", *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def build(self) -> None:
        """Migrate, make topics, start everything, make an account."""
        if self.distributed:
            for words in (("migrate",), ("topics",)):
                done = self.command(*words)
                assert done.returncode == 0, done.stderr
        for head in self.heads:
            self.launch(head)
        for head in self.heads:
            self.wait(head)
        operator = Vault(MASTER_KEY).operator_key()
        body = {"name": "Tea", "store": {"name": "Tea", "currency": "EUR", "zone": "Europe/Madrid", "locale": "en"}}
        self.keys = self.call("POST", "/v1/accounts", json=body, key=operator).json()

    def launch(self, head: str, fuse: str = "") -> None:
        """Start one process, with a fuse where it is to die at a point."""
        group = next(group for group in self._groups if group[0] == head)
        names = list(group) if self.distributed else []
        program = ["tests.faults.launch", fuse, *names] if fuse else ["services", "run", *names]
        with (self.folder / f"{head}.log").open("ab") as out:
            self._processes[head] = subprocess.Popen(
                [sys.executable, "-m", *program],
                cwd=self.folder,
                env=self.environment(head),
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def wait(self, head: str) -> None:
        """Return when the process answers."""
        wait_for_port(self._ports[head], self._processes[head], self.folder / f"{head}.log")

    def start(self, head: str, fuse: str = "") -> None:
        """Start one process and return when it answers."""
        self.launch(head, fuse)
        self.wait(head)

    def kill(self, head: str) -> None:
        """SIGKILL."""
        end(self._processes[head], signal.SIGKILL)
        self.kills += 1

    def stop(self, head: str, seconds: float = 30) -> float:
        """SIGTERM; gives the seconds until the process was gone. Raises AssertionError when it had to be killed."""
        process, begun = self._processes[head], time.monotonic()
        end(process, signal.SIGTERM, seconds)
        assert process.returncode == 0, f"{head} ended with {process.returncode}"
        return time.monotonic() - begun

    def burn_down(self, head: str) -> None:
        """Wait until a process with a fuse has died of it."""
        code = self._processes[head].wait(PATIENCE_SECONDS)
        assert code == -signal.SIGKILL, (self.folder / f"{head}.log").read_text()[-3000:]
        self.kills += 1

    def burnt(self, head: str) -> bool:
        """Whether a process has ended."""
        return self._processes[head].poll() is not None

    def pull_down(self) -> None:
        """End everything at once."""
        self._http.close()
        for process in self._processes.values():
            end(process, signal.SIGKILL)

    def once(self, method: str, path: str, *, service: str = "ingest", key: str = "", **given: Any) -> httpx.Response:
        """One call, whatever becomes of it."""
        headers = {"authorization": f"Bearer {key or self.keys['server_key']}", **given.pop("headers", {})}
        url = f"http://127.0.0.1:{self._ports[self.head_of(service)]}{path}"
        return self._http.request(method, url, headers=headers, **given)

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A call that is repeated as it was, with one Idempotency-Key, until it is answered, as good clients do."""
        headers = {"idempotency-key": uuid4().hex, **given.pop("headers", {})}
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.once(method, path, headers=headers, **given)
            except httpx.TransportError as error:
                answer = httpx.Response(503, text=f"{type(error).__name__} {error}; {self._ended()}")
            if answer.status_code < 500:
                answer.raise_for_status()
                return answer
            assert time.monotonic() < until, f"{path}: {answer.status_code} {answer.text}"
            time.sleep(0.05)

    def _ended(self) -> str:
        return f"exit codes {[(head, process.poll()) for head, process in self._processes.items()]}"

    def pages(self, path: str, **given: Any) -> Iterator[Any]:
        """Everything in a list of the API."""
        cursor = ""
        while True:
            page = self.call("GET", f"{path}?limit=200&cursor={cursor}", **given).json()
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = page["next_cursor"]

    def verify(self) -> dict[str, Any]:
        """The books when all is quiet; raises AssertionError when they do not balance."""
        done = self.command("verify", "--wait", str(PATIENCE_SECONDS))
        assert done.returncode == 0, f"verify: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
        books: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["books"]
        return books
