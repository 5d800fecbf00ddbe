"""The containers of the compose file as processes of this machine: their commands, environment, user and volumes."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from tests.real.postgres import Postgres
from tests.real.processes import end, free_port, wait_for_port

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = cast("dict[str, Any]", yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
SERVICES = ("ingest", "loyalty", "scoring", "notifications")
SECRETS = {
    "POSTGRES_PASSWORD": "secret-of-postgres",
    "QUERENCIA_MASTER_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    **{f"{service.upper()}_DB_PASSWORD": f"secret-of-{service}" for service in SERVICES},
}
PORT = "8000"
WRITES = 0o3


def _said(pattern: str) -> str:
    found = re.search(pattern, DOCKERFILE, re.MULTILINE)
    assert found, pattern
    return found[1]


USER = int(_said(r"^USER (\d+)$"))
HOME = _said(r"^WORKDIR (\S+)$")
IMAGE = dict(re.findall(r"(\w+)=(\S+)", _said(r"^ENV ((?:.*\\\n)*.*)$")))
# As the image's user, with no right of root but to read this machine's own Python, which may lie below root's home.
AS_USER = [
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *(f"--{which}=-all,+dac_read_search" for which in ("inh-caps", "ambient-caps", "bounding-set")),
]


class Up(NamedTuple):
    """A container that runs: its port, its process, what it has said, and where its volume is."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    volume: Path

    def ends(self) -> int:
        """The exit code after SIGTERM; raises TimeoutExpired after the container's grace period."""
        return self.process.wait(grace(self.log.stem.rpartition("-")[0]))

    def written(self) -> set[Path]:
        """The files that it holds open for writing, its log (which must be one of them) aside."""
        found = set()
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            flags = re.search(r"flags:\s+(\d+)", (entry.parents[1] / "fdinfo" / entry.name).read_text())
            target = entry.resolve()
            if target.is_file() and flags and int(flags[1], 8) & WRITES:
                found.add(target)
        assert self.log in found
        return found - {self.log}


def grace(container: str) -> float:
    """Seconds that a container has between SIGTERM and SIGKILL."""
    return float(CONTAINERS[container]["stop_grace_period"].removesuffix("s"))


class Installation:
    """Where the containers' names lead on this machine."""

    def __init__(self, addresses: Mapping[str, str], postgres: Postgres, prefix: str, folder: Path) -> None:
        self.addresses = dict(addresses)
        self.postgres = postgres
        self.prefix = prefix
        self.folder = folder

    def environment(self, container: str, volume: Path, port: int = 0) -> dict[str, str]:
        """What the image and the container say, secrets filled in and names resolved; nothing of this process's own."""
        image = {name: value.replace(HOME, str(volume)).replace("/app", str(ROOT)) for name, value in IMAGE.items()}
        given = {name: self._resolved(str(value)) for name, value in CONTAINERS[container]["environment"].items()}
        here = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), "TOPIC_PREFIX": self.prefix}
        own = {"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1"}
        return {**image, **given, **own, **{f"QUERENCIA_{name}": value for name, value in here.items()}}

    def once(self, container: str, *command: str) -> str:
        """Run a container to its end, with its own command or another as `docker compose run` would; its output."""
        volume = self._volume(f"{container}-once")
        program = self._program(command or CONTAINERS[container]["command"])
        environment = self.environment(container, volume)
        done = subprocess.run(program, cwd=volume, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def up(self, container: str, port: int = 0, number: int = 1) -> Iterator[Up]:
        """A lasting container, or one more of it, as a process, once its port answers."""
        port = port or free_port()
        log, volume = self.folder / f"{container}-{number}.log", self._volume(container)
        with log.open("ab") as out:
            process = subprocess.Popen(
                self._program(CONTAINERS[container]["command"]),
                cwd=volume,
                env=self.environment(container, volume, port),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for_port(port, process, log)
            yield Up(port, process, log, volume)
        finally:
            end(process, signal.SIGKILL)

    def is_healthy(self, container: str, **ports: int) -> bool:
        """What the container's own health check says; `ports` are where its ports are here, by p<number>."""
        kind, *test = CONTAINERS[container]["healthcheck"]["test"]
        for name, port in ports.items():
            test = [part.replace(f":{name[1:]}", f":{port}") for part in test]
        program = ["sh", "-c", *test] if kind == "CMD-SHELL" else [{"python": sys.executable}.get(test[0], test[0])]
        command = program if kind == "CMD-SHELL" else [*program, *test[1:]]
        patience = float(CONTAINERS[container]["healthcheck"]["timeout"].removesuffix("s"))
        environment = {**os.environ, "PGPORT": str(self.postgres.port)}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=10 * patience, check=False)
        return done.returncode == 0

    def _volume(self, name: str) -> Path:
        volume = self.folder / name
        volume.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(volume, USER, USER)
        return volume

    def _program(self, command: list[str] | tuple[str, ...]) -> list[str]:
        """The image's entry point with a command, never as root."""
        as_user = AS_USER if os.geteuid() == 0 and shutil.which("setpriv") else []
        return [*as_user, sys.executable, "-m", "services", *command]

    def _resolved(self, value: str) -> str:
        value = re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", value)
        value = re.sub(r"\$\{(\w+):\?\}", lambda found: SECRETS[found[1]], value)
        for name, address in self.addresses.items():
            value = value.replace(name, address)
        return value
