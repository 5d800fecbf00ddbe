"""The very commands and environments of the compose file, run as processes on a real Kafka and PostgreSQL."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.real.gateway import gateway
from tests.real.postgres import programs, sql, start_postgres
from tests.real.smtp import SmtpServer
from tests.system.installation import CONTAINERS, ROOT, SECRETS, SERVICES, USER, Installation, Up

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.xdist_group("distributed")]


@pytest.fixture(scope="module")
def post() -> Iterator[SmtpServer]:
    """Where Mailpit would be: a real SMTP server."""
    server = SmtpServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def installation(
    kafka_address: str, postgres_address: str, post: SmtpServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """PostgreSQL made ready by the script that its container runs, topics made, every service migrated."""
    assert postgres_address  # skips where there is no PostgreSQL to be had
    server = start_postgres(password=SECRETS["POSTGRES_PASSWORD"])
    addresses = {
        "kafka:9092": kafka_address,
        "postgres:5432": f"127.0.0.1:{server.port}",
        "mailpit:1025": f"127.0.0.1:{post.port}",
    }
    found = Installation(addresses, server, f"t{server.port}.", tmp_path_factory.mktemp("installation"))
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


def test_a_purchase_becomes_points_and_a_mail_though_one_of_three_is_killed_and_all_leave_in_time(
    installation: Installation, post: SmtpServer, tmp_path: Path
) -> None:
    said = installation.once("ingest", "account", "create", "--name", "Tea", "--currency", "EUR")
    key, store = re.search(r"server key +(\S+)", said), re.search(r"store +(sto_\S+)", said)
    assert key, said
    assert store, said
    with ExitStack() as stack:
        ups = [stack.enter_context(installation.up(service)) for service in SERVICES]
        three = [ups[1], *(stack.enter_context(installation.up("loyalty", number=number)) for number in (2, 3))]
        ports = {service: [up.port] for service, up in zip(SERVICES, ups, strict=True)}
        url = stack.enter_context(gateway(tmp_path, {**ports, "loyalty": [up.port for up in three]}))
        shop = stack.enter_context(httpx.Client(base_url=url, timeout=30))
        _answers_to_nobody(url, [*ups, *three])
        assert installation.is_healthy("gateway", p8080=int(url.rpartition(":")[2]))
        assert all(installation.is_healthy(service, p8000=ports[service][0]) for service in SERVICES)
        shop.headers["authorization"] = f"Bearer {key[1]}"
        for number in range(1, 9):
            if number == 5:
                three[0].process.kill()
                three[0].process.wait()
                assert not installation.is_healthy("loyalty", p8000=three[0].port)
            _buy(shop, number)
        ups[1], left = three[1], [ups[0], *three[1:], *ups[2:]]
        addresses = [f"http://127.0.0.1:{up.port}/books" for up in ups]
        verdict = json.loads(installation.once("ingest", "verify", "--books", *addresses).splitlines()[-1])
        assert verdict["balanced"], verdict
        token = shop.post("/v1/customer-tokens", json={"customer": f"ext:{store[1]}:7"}).json()["token"]
        shop.headers["authorization"] = f"Bearer {token}"
        assert [shop.get("/v1/members/me").json()["pending"] for _ in range(12)] == [8 * 25] * 12
        sent = {message["state"] for message in shop.get("/v1/messages").json()["data"]}
        assert sent == {"accepted"}
        assert {str(mail.message["To"]) for mail in post.mails} == {"ana@example.com"}
        for up in left:
            _keeps_to_itself(up)
        for up in left:
            up.process.send_signal(signal.SIGTERM)
        assert [up.ends() for up in left] == [0] * len(left)


def test_the_database_is_as_healthy_as_its_container_says(installation: Installation) -> None:
    assert installation.is_healthy("postgres")


def _answers_to_nobody(url: str, ups: list[Up]) -> None:
    for up in ups:
        assert httpx.get(f"http://127.0.0.1:{up.port}/health/live").status_code == 200
        assert "querencia_event_loop_lag_seconds" in httpx.get(f"http://127.0.0.1:{up.port}/metrics").text
    for method, path in (("POST", "/v1/events"), ("GET", "/v1/members/me"), ("GET", "/v1/scores/cus_ana")):
        assert httpx.request(method, f"{url}{path}", json={}).status_code == 401


def _keeps_to_itself(up: Up) -> None:
    """It is not root and may not become root, writes to its volume only, and tells no secret to who reads its log."""
    status = Path(f"/proc/{up.process.pid}/status").read_text()
    if os.geteuid() == 0:
        assert re.findall(r"^Uid:\s+(.+)$", status, re.MULTILINE) == ["\t".join([str(USER)] * 4)]
        assert re.findall(r"^NoNewPrivs:\s+(\d)$", status, re.MULTILINE) == ["1"]
    assert [path for path in up.written() if not path.is_relative_to(up.volume)] == []
    said = up.log.read_text() + Path(f"/proc/{up.process.pid}/cmdline").read_text()
    assert [name for name, secret in SECRETS.items() if secret in said] == []


def _buy(shop: httpx.Client, number: int) -> None:
    """Post one purchase of 25.00 by customer 7."""
    line = {"product": "tea", "title": "Green tea", "quantity": 2, "price": 1250}
    customer = {"id": "7", "email": "ana@example.com", "first_name": "Ana", "locale": "es"}
    data = {"order_id": str(number), "customer": customer, "lines": [line]}
    event = {"specversion": "1.0", "source": "my-shop", "id": f"order-{number}", "type": "purchase", "data": data}
    assert shop.post("/v1/events", json=event).json()["verdicts"][0]["verdict"] == "accepted"
