"""The very commands and environments of the compose file, run as processes on a real Kafka and PostgreSQL."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml

from tests.real.gateway import gateway
from tests.real.postgres import Postgres, programs, sql, start_postgres
from tests.real.processes import end, free_port, wait_for_port

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("distributed")]

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = cast("dict[str, Any]", yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
SERVICES = ("ingest", "loyalty", "scoring", "notifications")
SECRETS = {
    "QUERENCIA_MASTER_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    **{f"{service.upper()}_DB_PASSWORD": f"secret-of-{service}" for service in SERVICES},
}


class Installation:
    """Where the containers' names lead on this machine."""

    def __init__(self, kafka: str, postgres: Postgres, prefix: str, folder: Path) -> None:
        self.kafka = kafka
        self.postgres = postgres
        self.prefix = prefix
        self.folder = folder

    def environment(self, container: str, port: int = 0) -> dict[str, str]:
        """The container's environment, secrets filled in and host names resolved."""
        given = CONTAINERS[container]["environment"]
        ours = {name: self._resolved(str(value)) for name, value in given.items()}
        extra = {"HTTP_PORT": str(port), "DATA_DIR": str(self.folder / container), "TOPIC_PREFIX": self.prefix}
        return {**os.environ, **ours, **{f"QUERENCIA_{name}": value for name, value in extra.items()}}

    def once(self, container: str) -> None:
        """Run a container that sets something up, to its end."""
        command = [sys.executable, "-m", "services", *CONTAINERS[container]["command"]]
        environment = self.environment(container)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def up(self, container: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """A lasting container as a process: its port and the process, once the port answers."""
        port = free_port()
        log = self.folder / f"{container}.log"
        command = [sys.executable, "-m", "services", *CONTAINERS[container]["command"]]
        with log.open("wb") as out:
            environment = self.environment(container, port)
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for_port(port, process, log)
            yield port, process
        finally:
            end(process, signal.SIGKILL)

    def _resolved(self, value: str) -> str:
        value = re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", value)
        value = re.sub(r"\$\{(\w+):\?\}", lambda found: SECRETS[found[1]], value)
        return value.replace("kafka:9092", self.kafka).replace("postgres:5432", f"127.0.0.1:{self.postgres.port}")


@pytest.fixture(scope="module")
def installation(
    kafka_address: str, postgres_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """PostgreSQL made ready by the script that its container runs, topics made, every service migrated."""
    assert postgres_address  # skips where there is no PostgreSQL to be had
    server = start_postgres()
    found = Installation(kafka_address, server, f"t{server.port}.", tmp_path_factory.mktemp("installation"))
    path = f"{programs()}:{os.environ['PATH']}"
    access = {"PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "POSTGRES_USER": "postgres"}
    try:
        script = ROOT / CONTAINERS["postgres"]["volumes"][1].split(":")[0]
        subprocess.run([script], env={**os.environ, **SECRETS, **access}, check=True, capture_output=True)
        found.once("topics")
        for service in SERVICES:
            found.once(f"migrate-{service}")
        yield found
    finally:
        server.remove()


def test_no_service_sees_another_ones_database(installation: Installation) -> None:
    address = f"postgresql://loyalty@127.0.0.1:{installation.postgres.port}"
    assert sql(address, "SELECT current_user", database="loyalty") == ["loyalty"]
    with pytest.raises(RuntimeError, match="permission denied for database"):
        sql(address, "SELECT 1", database="ingest")


def test_services_answer_behind_the_gateway_and_leave_in_time(installation: Installation, tmp_path: Path) -> None:
    with ExitStack() as stack:
        ups = {service: stack.enter_context(installation.up(service)) for service in SERVICES}
        ports = {service: port for service, (port, _) in ups.items()}
        for port in ports.values():
            assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
            assert "querencia_event_loop_lag_seconds" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        url = stack.enter_context(gateway(tmp_path, ports))
        for method, path in (("POST", "/v1/events"), ("GET", "/v1/members/me"), ("GET", "/v1/scores/cus_ana")):
            assert httpx.request(method, f"{url}{path}", json={}).status_code == 401
        begun = time.monotonic()
        for _, process in ups.values():
            process.send_signal(signal.SIGTERM)
        assert [process.wait(30) for _, process in ups.values()] == [0, 0, 0, 0]
        assert time.monotonic() - begun < 30
