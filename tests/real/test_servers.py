"""The real servers keep their promises: data survive a kill, each test has its own, SMTP answers as told."""

import smtplib
import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import SocketBeyondLoopbackError
from tests.real.kafka import start_broker
from tests.real.postgres import sql, start_postgres
from tests.real.smtp import Act, SmtpServer


async def _create_topic(address: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()


async def _send(address: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def _read_one(address: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    record = await consumer.getone()
    await consumer.stop()
    value: bytes | None = record.value
    return value


@pytest.mark.kafka
async def test_the_shared_broker_takes_and_gives(kafka_address: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}orders"
    await _create_topic(kafka_address, topic)
    await _send(kafka_address, topic, b"paid")
    assert await _read_one(kafka_address, topic) == b"paid"


@pytest.mark.kafka
async def test_a_killed_broker_comes_back_with_its_data(kafka_address: str, tmp_path: Path) -> None:
    assert kafka_address  # skips where there is no broker to be had
    broker = start_broker(tmp_path)
    try:
        await _create_topic(broker.address, "orders")
        await _send(broker.address, "orders", b"paid")
        before = broker.pid
        broker.kill()
        broker.start()
        assert broker.pid != before
        assert await _read_one(broker.address, "orders") == b"paid"
    finally:
        broker.remove()


@pytest.mark.postgres
def test_each_service_has_a_database_of_its_own(postgres_url: str) -> None:
    address, name = postgres_url.rsplit("/", 1)
    sql(address, "CREATE TABLE orders (id int)", database=name.format(service="ingest"))
    assert sql(address, "SELECT to_regclass('orders') IS NULL", database=name.format(service="loyalty")) == ["t"]
    assert sql(address, "SHOW synchronous_commit") == ["on"]
    assert int(sql(address, "SHOW max_connections")[0]) >= 300


@pytest.mark.postgres
def test_a_crashed_database_comes_back_with_what_was_committed(postgres_address: str) -> None:
    assert postgres_address  # skips where there is no server to be had
    server = start_postgres()
    try:
        assert sql(server.address, "SHOW fsync", "SHOW full_page_writes", "SHOW synchronous_commit") == ["on"] * 3
        sql(server.address, "CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (7)")
        server.stop(immediate=True)
        server.start()
        assert sql(server.address, "SELECT id FROM orders") == ["7"]
    finally:
        server.remove()


def _client(server: SmtpServer, seconds: float = 10) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", server.port, local_hostname="shop.example", timeout=seconds)


def _mail(client: smtplib.SMTP, to: str = "ana@shop.example") -> None:
    client.sendmail("us@shop.example", [to], "Subject: hola\r\n\r\nAna")


def test_a_mail_is_kept_with_its_connection(smtp_server: SmtpServer) -> None:
    with _client(smtp_server) as client:
        _mail(client)
        _mail(client, to="bea@shop.example")
    assert [mail.message["Subject"] for mail in smtp_server.mails_to("ana@shop.example")] == ["hola"]
    assert {mail.connection for mail in smtp_server.mails} == {1}


@pytest.mark.parametrize(
    ("command", "line", "code"),
    [("MAIL", "421 busy", 421), ("RCPT", "454 later", 454), ("RCPT", "550 nobody", 550), ("DATA", "550 spam", 550)],
)
def test_the_next_command_is_answered_as_scripted(smtp_server: SmtpServer, command: str, line: str, code: int) -> None:
    smtp_server.answers(command, line)
    client = _client(smtp_server)
    with pytest.raises(smtplib.SMTPException, match=str(code)):
        _mail(client)
    client.close()
    with _client(smtp_server) as again:
        _mail(again)
    assert len(smtp_server.mails) == 1


@pytest.mark.parametrize(("act", "kept"), [(Act.DROP, 0), (Act.KEEP_AND_DROP, 1)])
def test_a_connection_cut_after_data_tells_nothing(smtp_server: SmtpServer, act: Act, kept: int) -> None:
    smtp_server.answers("DATA", act)
    client = _client(smtp_server)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        _mail(client)
    client.close()
    assert len(smtp_server.mails) == kept


def test_a_stalled_answer_waits_for_release(smtp_server: SmtpServer) -> None:
    smtp_server.answers("RCPT", Act.STALL)
    client = _client(smtp_server, seconds=0.2)
    with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
        _mail(client)
    client.close()
    assert smtp_server.stalled.is_set()
    smtp_server.release()
    with _client(smtp_server) as again:
        _mail(again)
    assert len(smtp_server.mails) == 1


def test_no_socket_leaves_the_machine() -> None:
    with pytest.raises(SocketBeyondLoopbackError):
        socket.getaddrinfo("example.org", 443)
    with socket.socket() as outgoing, pytest.raises(SocketBeyondLoopbackError):
        outgoing.connect(("192.0.2.1", 443))
