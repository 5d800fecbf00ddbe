"""Real services by fixture, sockets that stay on loopback, and how hard Hypothesis tries."""

import asyncio
import os
import sys
import uuid
from collections.abc import Generator, Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.real.kafka import delete_topics, start_broker
from tests.real.postgres import database_names, databases, start_postgres
from tests.real.processes import NotToBeHad
from tests.real.smtp import SmtpServer

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: its threads only get into each other's way
IN_CI = os.environ.get("CI") == "true"
UNAVAILABLE = "unavailable: "
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None})  # noqa: S104 - binding, for tests

settings.register_profile(
    "ci", derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("faults", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


class SocketBeyondLoopbackError(RuntimeError):
    """A test tried to reach another machine."""


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse addresses and names of other machines; unix sockets pass."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in LOOPBACK and not str(host).startswith("127."):
        message = f"{event} to {host!r}"
        raise SocketBeyondLoopbackError(message)


def pytest_configure() -> None:
    """Close the sockets for the whole session; an audit hook cannot be taken off again."""
    sys.addaudithook(_guard)


@pytest.fixture(scope="session")
def kafka_address() -> Iterator[str]:
    """Host and port of Apache Kafka's own broker, one for the session."""
    given = _given("QUERENCIA_TEST_KAFKA")
    if given:
        yield given
        return
    try:
        broker = start_broker()
    except NotToBeHad as why:
        do_without(str(why))
    yield broker.address
    broker.remove()


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """URL of a real PostgreSQL without a database, one server for the session."""
    given = _given("QUERENCIA_TEST_POSTGRES")
    if given:
        yield given
        return
    try:
        server = start_postgres(durable=False)
    except NotToBeHad as why:
        do_without(str(why))
    yield server.address
    server.remove()


@pytest.fixture
def postgres_url(postgres_address: str) -> Iterator[str]:
    """URL template with `{service}`: four empty databases of this test's own."""
    with databases(postgres_address) as template:
        yield template


@pytest.fixture
def postgres_names(postgres_address: str) -> Iterator[str]:
    """The same with no database there yet: a world makes its own as copies of migrated ones."""
    with database_names(postgres_address) as template:
        yield template


@pytest.fixture
def topic_prefix(kafka_address: str) -> Iterator[str]:
    """A prefix that makes this test's topics and groups its own; the topics go when the test is over."""
    prefix = f"t{uuid.uuid4().hex[:12]}."
    yield prefix
    asyncio.run(delete_topics(kafka_address, prefix))  # thousands of partitions would slow the broker down


MODES = [
    "embedded",
    pytest.param("distributed", marks=[pytest.mark.kafka, pytest.mark.postgres]),
]


# What is read or refused before any database or bus is asked: the mode makes no difference to it.
IN_ONE_MODE = pytest.mark.parametrize("mode", ["embedded"], indirect=True)


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where databases and bus are: SQLite and log, or PostgreSQL and Kafka."""
    if request.param == "embedded":
        return {}
    return {
        "database_url": request.getfixturevalue("postgres_names"),
        "bus_url": f"kafka://{request.getfixturevalue('kafka_address')}",
        "topic_prefix": request.getfixturevalue("topic_prefix"),
    }


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """A real SMTP server on a free port that takes every mail until told otherwise."""
    server = SmtpServer().start()
    yield server
    server.stop()


def _given(name: str) -> str:
    """Address handed in by `python -m tests.real run`, which also hands in why there is none."""
    value = os.environ.get(name, "")
    if value.startswith(UNAVAILABLE):
        do_without(value.removeprefix(UNAVAILABLE))
    return value


def do_without(why: str) -> NoReturn:
    """Skip with one line that says why."""
    pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI=true nothing may be skipped: whatever is, has failed."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"under CI=true nothing may be skipped: {report.longrepr}"
    return report
