"""Durable accept beside a bare handler doing the same insert, and its CPU beside one pgbench one-row commit."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.cpu import family_seconds, process_seconds
from tests.bench.figures import Figure, figure, reported
from tests.bench.load import Load, run
from tests.real.postgres import Postgres, databases, programs, sql
from tests.real.processes import free_port

ROUNDS = 3
BATCHES = 250
PER_BATCH = 100
SINGLES = 4_000


class Measured:
    """One run of load and the CPU microseconds an event took in program and database together."""

    def __init__(self, load: Load, cpu: float) -> None:
        self.load = load
        self.cpu = cpu


@asynccontextmanager
async def _served(kind: str, server: Postgres) -> AsyncIterator[tuple[int, str, int]]:
    """(port, key, pid) of a child that answers."""
    with tempfile.TemporaryDirectory() as folder, databases(server.address) as template:
        port = free_port()
        environment = {**os.environ, "QUERENCIA_DATABASE_URL": template, "QUERENCIA_BUS_URL": f"log:///{folder}/bus.db"}
        arguments = [sys.executable, "-m", "tests.bench.serve", kind, str(port), folder]
        child = subprocess.Popen(arguments, env=environment)
        try:
            await _answers(port)
            yield port, (Path(folder) / "key").read_text(), child.pid
        finally:
            child.terminate()
            child.wait(40)


async def _answers(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        writer.close()
        return
    raise TimeoutError("the server does not come up")


class Children:
    """The two servers of a run side by side, measured in turn."""

    def __init__(self, server_pid: int) -> None:
        self._server = server_pid
        self._run = 0

    async def measure(self, child: tuple[int, str, int], *, connections: int, requests: int, batch: int) -> Measured:
        """One run of load on one of them."""
        port, key, pid = child
        self._run += 1
        before = process_seconds(pid) + family_seconds(self._server)
        load = await run(port, key, connections=connections, requests=requests, batch=batch, run_id=self._run)
        used = process_seconds(pid) + family_seconds(self._server) - before
        return Measured(load, used * 1e6 / (requests * batch))


def commit_cost(server: Postgres, server_pid: int) -> float:
    """CPU microseconds of PostgreSQL for one prepared one-row insert and commit at 64 clients (pgbench)."""
    sql(server.address, "DROP TABLE IF EXISTS yardstick", "CREATE TABLE yardstick (id bigserial primary key, raw text)")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"INSERT INTO yardstick (raw) VALUES ('{'x' * 600}');\n")
        script.flush()
        Path(script.name).chmod(0o644)
        before = family_seconds(server_pid)
        arguments = ["-n", "-c", "64", "-j", "2", "-M", "prepared", "-T", "5", "-f", script.name]
        done = subprocess.run(
            [programs() / "pgbench", *arguments, f"{server.address}/postgres"],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"actually processed: (\d+)", done.stdout)
    if found is None:
        raise ValueError(done.stdout)
    return (family_seconds(server_pid) - before) * 1e6 / int(found[1])


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """Batches of 100 at 8 connections, then singles at 64, product and bare in turn."""
    rates, batch_cpu, single_cpu, bare_cpu, p99 = [], [], [], [], []
    async with _served("product", server) as product, _served("bare", server) as bare:
        children = Children(server_pid)
        for child in (product, bare):
            await children.measure(child, connections=8, requests=20, batch=PER_BATCH)
        for _ in range(ROUNDS):
            ours = await children.measure(product, connections=8, requests=BATCHES, batch=PER_BATCH)
            limit = await children.measure(bare, connections=8, requests=BATCHES, batch=PER_BATCH)
            single = await children.measure(product, connections=64, requests=SINGLES, batch=1)
            commit = commit_cost(server, server_pid)
            rates.append((ours.load.per_second, limit.load.per_second))
            batch_cpu.append((ours.cpu, commit))
            bare_cpu.append((limit.cpu, commit))
            single_cpu.append((single.cpu, commit))
            p99.append(ours.load.percentile(0.99))
    mode = "PostgreSQL"
    commit_name = "one pgbench one-row commit"
    return [
        figure("accept: events/s in batches of 100 / a bare handler's", mode, "events/s", rates, floor=0.60),
        figure(
            f"accept: CPU per event in batches of 100 / {commit_name}",
            mode,
            "µs",
            batch_cpu,
            floor=0.68,
            lower_is_better=True,
        ),
        figure(
            f"a bare handler: CPU per event in batches of 100 / {commit_name}",
            mode,
            "µs",
            bare_cpu,
            lower_is_better=True,
        ),
        figure(
            f"accept: CPU per single event at 64 connections / {commit_name}",
            mode,
            "µs",
            single_cpu,
            floor=2.35,
            lower_is_better=True,
        ),
        reported("accept: p99 of a batch of 100 at 8 connections", mode, "ms", sorted(p99)[len(p99) // 2]),
    ]
