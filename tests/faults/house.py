"""A whole installation as child processes of the true program, killed and started again at will."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import httpx

from shared.settings import Settings
from shared.vault import Vault
from tests.faults.program import ROOT, nursery
from tests.real.postgres import make_empty
from tests.real.processes import Process, end, free_port, wait_for_port

SERVICES = ("ingest", "loyalty", "scoring", "notifications")
MASTER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
PATIENCE_SECONDS = 150.0


class House:
    """One process for everything (embedded), or one for each service on PostgreSQL and Kafka (distributed).

    `mode` are settings that differ from the defaults. With `forked` its processes come out of the nursery, else they
    are started by the command line. With `named` a process that comes back is known to be the same replica, and has
    its leases again at once. Distributed, there may be several `replicas` of each service: `loyalty`, `loyalty-2`, ….
    A process named in `trees` runs another version of the program, out of that tree; commands run ingest's. The clocks
    of those in `skews` are so much ahead. Nobody is to call the processes that are `away`, nor to start them at first.
    """

    def __init__(
        self,
        folder: Path,
        mode: Mapping[str, str],
        *,
        forked: bool = True,
        named: bool = True,
        replicas: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self.mode = dict(mode)
        self.distributed = "database_url" in mode
        self.offset = timedelta()
        self.trees: dict[str, Path] = {}
        self.skews: dict[str, timedelta] = {}
        self.away: set[str] = set()
        self._forked = forked
        self._named = named
        self._groups: dict[str, tuple[str, ...]] = {"ingest": SERVICES}
        if self.distributed:
            numbers = range(1, max(replicas.values(), default=1) + 1)
            self._groups = {
                f"{name}-{number}" if number > 1 else name: (name,)
                for number in numbers
                for name in SERVICES
                if number <= replicas.get(name, 1)
            }
        self._ports = {head: free_port() for head in self._groups}
        self._turns = count()
        self._processes: dict[str, Process] = {}
        self.kills = 0
        self.keys: dict[str, str] = {}
        self._http = httpx.Client(timeout=10)

    @property
    def heads(self) -> list[str]:
        """The names of the processes: each is called after its first service."""
        return list(self._ports)

    @property
    def now(self) -> datetime:
        """Business time."""
        return datetime.now(UTC) + self.offset

    @property
    def settings(self) -> Settings:
        """What the processes of this installation are told, for who looks into its databases and bus."""
        given: dict[str, Any] = {"data_dir": self.folder, **self.mode}
        return Settings(**given, _env_file=None)

    def heads_of(self, service: str) -> list[str]:
        """The processes in which a service runs."""
        return [head for head, group in self._groups.items() if service in group]

    def environment(self, head: str = "ingest") -> dict[str, str]:
        """What a process is told."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUERENCIA_")}
        given = {f"QUERENCIA_{name.upper()}": value for name, value in self.mode.items()}
        return {
            **kept,
            **given,
            "QUERENCIA_DATA_DIR": str(self.folder),
            "QUERENCIA_HTTP_PORT": str(self._ports[head]),
            "QUERENCIA_MASTER_KEY": MASTER_KEY,
            "QUERENCIA_REPLICA": head if self._named else "",
            "QUERENCIA_CLOCK_OFFSET_SECONDS": str((self.offset + self.skews.get(head, timedelta())).total_seconds()),
            "PYTHONPATH": str(self.trees.get(head, ROOT)),
        }

    def command(self, *words: str) -> tuple[int, str]:
        """Run one command of the program to its end; gives exit code and output."""
        out = self.folder / f"command-{uuid4().hex}.out"
        code = self._begun(["services", *words], "ingest", out).wait(240)
        return code, out.read_text()

    def build(self) -> None:
        """Migrate, make topics, start everything, make an account."""
        if self.distributed:
            make_empty(*(self.settings.database_of(service) for service in SERVICES))
            for words in (("migrate",), ("topics",)):
                code, said = self.command(*words)
                assert code == 0, said
        self.start(*(head for head in self.heads if head not in self.away))
        operator = Vault(MASTER_KEY).operator_key()
        body = {"name": "Tea", "store": {"name": "Tea", "currency": "EUR", "zone": "Europe/Madrid", "locale": "en"}}
        self.keys = self.call("POST", "/v1/accounts", json=body, key=operator).json()

    def launch(self, head: str, fuse: str = "") -> None:
        """Start one process, with a fuse where it is to die at a point."""
        names = self._groups[head] if self.distributed else ()
        program = ["tests.faults.launch", fuse, *names] if fuse else ["services", "run", *names]
        self._processes[head] = self._begun(program, head, self._log(head))

    def _begun(self, program: list[str], head: str, out: Path) -> Process:
        if self._forked and head not in self.trees:
            return nursery().bears(program, self.folder, self.environment(head), out)
        with out.open("ab") as file:
            command = [sys.executable, "-m", *program]
            env = self.environment(head)
            return subprocess.Popen(command, cwd=self.folder, env=env, stdout=file, stderr=subprocess.STDOUT)

    def _log(self, head: str) -> Path:
        return self.folder / f"{head}.log"

    def start(self, *heads: str) -> None:
        """Start processes and return when they answer."""
        for head in heads:
            self.launch(head)
        for head in heads:
            wait_for_port(self._ports[head], self._processes[head], self._log(head), PATIENCE_SECONDS)

    def kill(self, *heads: str) -> None:
        """SIGKILL."""
        for head in heads:
            self.kills += self._processes[head].poll() is None
            end(self._processes[head], signal.SIGKILL)

    def pid(self, head: str) -> int:
        """The process id of a process."""
        return self._processes[head].pid

    def signal(self, number: signal.Signals, *heads: str) -> None:
        """Send processes any signal, without waiting for what they do."""
        for head in heads:
            os.kill(self.pid(head), number)

    def stop(self, head: str, seconds: float = 30) -> float:
        """SIGTERM; gives the seconds until the process was gone. Raises AssertionError when it had to be killed."""
        process, begun = self._processes[head], time.monotonic()
        end(process, signal.SIGTERM, seconds)
        assert process.returncode == 0, f"{head} ended with {process.returncode}\n{self._tail(head)}"
        return time.monotonic() - begun

    def burnt(self, head: str) -> bool:
        """Whether a process with a fuse has died of it; raises AssertionError when it has ended otherwise."""
        code = self._processes[head].poll()
        assert code in {None, -signal.SIGKILL}, f"{head} ended with {code}\n{self._tail(head)}"
        self.kills += code is not None
        return code is not None

    def moves_to(self, moment: datetime, *heads: str) -> None:
        """Kill processes (all by default) and have it be a business moment from when they start again."""
        self.kill(*(heads or self.heads))
        self.offset = moment - datetime.now(UTC)

    def _tail(self, head: str) -> str:
        return self._log(head).read_text()[-3000:]

    def pull_down(self) -> None:
        """End everything at once."""
        self._http.close()
        for process in self._processes.values():
            end(process, signal.SIGKILL)

    def once(self, method: str, path: str, *, service: str = "ingest", key: str = "", **given: Any) -> httpx.Response:
        """One call, whatever becomes of it."""
        headers = {"authorization": f"Bearer {key or self.keys['server_key']}", **given.pop("headers", {})}
        return self._http.request(method, f"{self.address(service)}{path}", headers=headers, **given)

    def address(self, service: str) -> str:
        """Where a service answers: its replicas take turns."""
        heads = [head for head in self.heads_of(service) if head not in self.away]
        return f"http://127.0.0.1:{self._ports[heads[next(self._turns) % len(heads)]]}"

    def call(self, method: str, path: str, *, refusals: Collection[int] = (), **given: Any) -> httpx.Response:
        """A call that is repeated as it was, with one Idempotency-Key, until it is answered, as good clients do.

        Raises httpx.HTTPStatusError when it is refused otherwise than by `refusals`.
        """
        headers = {"idempotency-key": uuid4().hex, **given.pop("headers", {})}
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self.once(method, path, headers=headers, **given)
            except httpx.TransportError as error:
                answer = httpx.Response(503, text=f"{type(error).__name__} {error}; {self._ended()}")
            if answer.status_code < 500 and "retry-after" not in answer.headers:
                if answer.status_code not in refusals:
                    answer.raise_for_status()
                return answer
            if time.monotonic() > until:
                raise AssertionError(f"{path}: {answer.status_code} {answer.text}\n{self._stacks()}")
            time.sleep(0.05)

    def _ended(self) -> str:
        return f"exit codes {[(head, process.poll()) for head, process in self._processes.items()]}"

    def _stacks(self) -> str:
        """Where every living process stands, as its faulthandler tells."""
        alive = [head for head, process in self._processes.items() if process.poll() is None]
        self.signal(signal.SIGUSR1, *(alive if self._forked else []))
        time.sleep(1)
        return "\n".join(f"== {head}\n{self._tail(head)}" for head in alive)

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
        code, said = self.command("verify", "--deep", "--wait", str(PATIENCE_SECONDS))
        assert code == 0, f"verify: {code}\n{said[-4000:]}"
        line = next(line for line in reversed(said.splitlines()) if line.startswith('{"balanced"'))
        books: dict[str, Any] = json.loads(line)["books"]
        return books
