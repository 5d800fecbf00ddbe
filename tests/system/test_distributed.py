"""The very commands and environments of the compose file, run as processes on a real Kafka and PostgreSQL."""

import json
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
    "POSTGRES_PASSWORD": "secret-of-postgres",
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

    def once(self, container: str, *command: str) -> str:
        """Run a container to its end, with its own command or another as `docker compose run` would; its output."""
        program = [sys.executable, "-m", "services", *(command or CONTAINERS[container]["command"])]
        environment = self.environment(container)
        done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def up(self, container: str, port: int = 0) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
        """A lasting container as a process: its port and the process, once the port answers."""
        port = port or free_port()
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
    server = start_postgres(password=SECRETS["POSTGRES_PASSWORD"])
    found = Installation(kafka_address, server, f"t{server.port}.", tmp_path_factory.mktemp("installation"))
    path = f"{programs()}:{os.environ['PATH']}"
    access = {"PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "POSTGRES_USER": "postgres"}
    access["PGPASSWORD"] = SECRETS["POSTGRES_PASSWORD"]
    try:
        script = ROOT / CONTAINERS["postgres"]["volumes"][1].split(":")[0]
        subprocess.run([script], env={**os.environ, **SECRETS, **access}, check=True, capture_output=True)
        found.once("topics")
        for service in SERVICES:
            found.once(f"migrate-{service}")
        yield found
    finally:
        server.remove()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_gets_in_with_its_own_password_to_its_own_database(
    installation: Installation, service: str
) -> None:
    port, secret = installation.postgres.port, SECRETS[f"{service.upper()}_DB_PASSWORD"]
    assert sql(f"postgresql://{service}:{secret}@127.0.0.1:{port}", "SELECT current_user", database=service) == [
        service
    ]
    with pytest.raises(RuntimeError, match="password authentication failed"):
        sql(f"postgresql://{service}:guessed@127.0.0.1:{port}", "SELECT 1", database=service)
    for other in {*SERVICES} - {service}:
        with pytest.raises(RuntimeError, match="permission denied for database"):
            sql(f"postgresql://{service}:{secret}@127.0.0.1:{port}", "SELECT 1", database=other)


def test_a_purchase_becomes_points_though_loyalty_is_killed_and_all_leave_in_time(
    installation: Installation, tmp_path: Path
) -> None:
    said = installation.once("ingest", "account", "create", "--name", "Tea", "--currency", "EUR")
    key, store = re.search(r"server key +(\S+)", said), re.search(r"store +(sto_\S+)", said)
    assert key, said
    assert store, said
    with ExitStack() as stack:
        ups = {service: stack.enter_context(installation.up(service)) for service in SERVICES}
        ports = {service: port for service, (port, _) in ups.items()}
        url = stack.enter_context(gateway(tmp_path, ports))
        shop = stack.enter_context(httpx.Client(base_url=url, timeout=30))
        _answers_to_nobody(url, ports)
        shop.headers["authorization"] = f"Bearer {key[1]}"
        for number in range(1, 9):
            if number == 5:
                ups["loyalty"][1].kill()
                ups["loyalty"] = stack.enter_context(installation.up("loyalty", ports["loyalty"]))
            _buy(shop, number)
        addresses = [f"http://127.0.0.1:{port}/books" for port in ports.values()]
        verdict = json.loads(installation.once("ingest", "verify", "--books", *addresses).splitlines()[-1])
        assert verdict["balanced"], verdict
        token = shop.post("/v1/customer-tokens", json={"customer": f"ext:{store[1]}:7"}).json()["token"]
        shop.headers["authorization"] = f"Bearer {token}"
        assert shop.get("/v1/members/me").json()["pending"] == 8 * 25
        assert shop.get("/v1/messages").json()["data"]
        _leave_in_time([process for _, process in ups.values()])


def _answers_to_nobody(url: str, ports: dict[str, int]) -> None:
    for port in ports.values():
        assert httpx.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
        assert "querencia_event_loop_lag_seconds" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    for method, path in (("POST", "/v1/events"), ("GET", "/v1/members/me"), ("GET", "/v1/scores/cus_ana")):
        assert httpx.request(method, f"{url}{path}", json={}).status_code == 401


def _leave_in_time(processes: list[subprocess.Popen[bytes]]) -> None:
    begun = time.monotonic()
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(30) for process in processes] == [0, 0, 0, 0]
    assert time.monotonic() - begun < 30


def _buy(shop: httpx.Client, number: int) -> None:
    """Post one purchase of 25.00 by customer 7."""
    line = {"product": "tea", "title": "Green tea", "quantity": 2, "price": 1250}
    customer = {"id": "7", "email": "ana@example.com", "first_name": "Ana", "locale": "es"}
    data = {"order_id": str(number), "customer": customer, "lines": [line]}
    event = {"specversion": "1.0", "source": "my-shop", "id": f"order-{number}", "type": "purchase", "data": data}
    assert shop.post("/v1/events", json=event).json()["verdicts"][0]["verdict"] == "accepted"
