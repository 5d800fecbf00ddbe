"""A whole installation as one process that can be killed, with keys to post and ask with."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from services.ingest.setup import Wanted, create_account
from shared.settings import Settings
from tests.real.postgres import SERVICES, make_empty
from tests.real.processes import end, free_port, wait_for_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0


class Installation:
    """All services in one process, on whatever databases and bus `settings` name."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = {
            **os.environ,
            "QUERENCIA_DATA_DIR": str(folder),
            "QUERENCIA_HTTP_PORT": str(self.port),
            **{f"QUERENCIA_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        if "database_url" in settings:
            make_empty(*(settings["database_url"].format(service=service) for service in SERVICES))
        for command in ("migrate", "topics"):
            self._run(command, check=True)
        named: dict[str, Any] = {"data_dir": folder, **settings}
        given = Settings(**named, _env_file=None)
        made = asyncio.run(create_account(given, Wanted()))
        address = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=address, headers={"authorization": f"Bearer {made.server_key}"}, timeout=30)

    def starts(self, *, days_later: float = 0) -> None:
        """Start, with business time so many days ahead of machine time."""
        offset = {"QUERENCIA_CLOCK_OFFSET_SECONDS": str(days_later * 86_400)}
        command, log = [sys.executable, "-m", "services", "run"], self.folder / "run.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**self.environment, **offset}, stdout=out, stderr=subprocess.STDOUT
            )
        wait_for_port(self.port, self._process, log)
        self.comes_to(lambda: self.http.get("/health/ready").status_code == 200)

    def is_killed(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def gives(self, path: str) -> Any:
        """GET."""
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def comes_to(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; fails when it never does."""
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, (self.folder / "run.log").read_text()[-4000:]
            time.sleep(0.02)

    def verified(self) -> dict[str, Any]:
        """The books, which must balance."""
        line = self._run("verify").stdout.splitlines()[-1]
        verdict: dict[str, Any] = msgspec.json.decode(line)
        assert verdict["balanced"], verdict["faults"]
        books: dict[str, Any] = verdict["books"]
        return books

    def _run(self, command: str, *, check: bool = False) -> subprocess.CompletedProcess[str]:
        given = [sys.executable, "-m", "services", command]
        return subprocess.run(given, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=check)
