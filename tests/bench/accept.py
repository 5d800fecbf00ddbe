"""Durable accept beside a bare handler doing the same insert, and its CPU beside one pgbench one-row commit."""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.cpu import family_seconds, process_seconds
from tests.bench.figures import Figure, figure, reported
from tests.bench.load import Load, run
from tests.real.postgres import Postgres, databases, programs, sql
from tests.real.processes import free_port

ROUNDS = 3
BATCHES = 250
PER_BATCH = 100
SINGLES = 4_000
ALONE = 300


class Measured:
    """One run of load and the CPU microseconds an event took in program and database together."""

    def __init__(self, load: Load, cpu: float) -> None:
        self.load = load
        self.cpu = cpu


@asynccontextmanager
async def served(kind: str, server: Postgres, program: str = "serve") -> AsyncIterator[tuple[int, str, int]]:
    """(port, key, pid) of a child that answers."""
    with tempfile.TemporaryDirectory() as folder, databases(server.address) as template:
        port = free_port()
        environment = {**os.environ, "QUERENCIA_DATABASE_URL": template, "QUERENCIA_BUS_URL": f"log:///{folder}/bus.db"}
        arguments = [sys.executable, "-m", f"tests.bench.{program}", kind, str(port), folder]
        child = subprocess.Popen(arguments, env=environment)
        try:
            await _answers(port)
            yield port, (Path(folder) / "key").read_text(), child.pid
        finally:
            child.terminate()
            child.wait(40)


async def _answers(port: int) -> None:
    for _ in range(900):
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


class Commits(NamedTuple):
    """One prepared one-row insert and commit after the other at 64 clients: PostgreSQL's CPU µs for each, and rate."""

    cpu: float
    per_second: float


def commit_cost(server: Postgres, server_pid: int) -> float:
    """CPU microseconds of PostgreSQL for one prepared one-row insert and commit at 64 clients (pgbench)."""
    return commits(server, server_pid).cpu


def commits(server: Postgres, server_pid: int) -> Commits:
    """What pgbench measures of one-row commits."""
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
    used = family_seconds(server_pid) - before
    number = re.search(r"actually processed: (\d+)", done.stdout)
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    if number is None or rate is None:
        raise ValueError(done.stdout)
    return Commits(used * 1e6 / int(number[1]), float(rate[1]))


class _Rounds:
    """What the rounds showed, as pairs of (value, limit)."""

    def __init__(self) -> None:
        self.rates: list[tuple[float, float]] = []
        self.batch_cpu: list[tuple[float, float]] = []
        self.bare_cpu: list[tuple[float, float]] = []
        self.single_cpu: list[tuple[float, float]] = []
        self.alone: list[tuple[float, float]] = []
        self.p99: list[float] = []

    def figures(self) -> list[Figure]:
        """The medians, each beside its limit."""
        mode, commit = "PostgreSQL", "one pgbench one-row commit"
        cost, single = "CPU per event in batches of 100", "CPU per single event at 64 connections"
        alone = "accept: p50 with one request in flight / a bare handler with one transaction per request"
        return [
            figure("accept: events/s in batches of 100 / a bare handler's", mode, "events/s", self.rates, floor=0.60),
            figure(f"accept: {cost} / {commit}", mode, "µs", self.batch_cpu, floor=0.68, lower_is_better=True),
            figure(f"a bare handler: {cost} / {commit}", mode, "µs", self.bare_cpu, lower_is_better=True),
            figure(f"accept: {single} / {commit}", mode, "µs", self.single_cpu, floor=2.35, lower_is_better=True),
            figure(alone, mode, "ms", self.alone, floor=1.3, lower_is_better=True),
            reported("accept: p99 of a batch of 100 at 8 connections", mode, "ms", statistics.median(self.p99)),
        ]


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """Batches of 100 at 8 connections, singles at 64, singles one by one; product and bare in turn."""
    rounds, children = _Rounds(), Children(server_pid)
    async with (
        served("product", server) as product,
        served("bare", server) as bare,
        served("each", server) as each,
    ):
        for child in (product, bare, each):
            await children.measure(child, connections=8, requests=20, batch=PER_BATCH)
        for _ in range(ROUNDS):
            ours = await children.measure(product, connections=8, requests=BATCHES, batch=PER_BATCH)
            limit = await children.measure(bare, connections=8, requests=BATCHES, batch=PER_BATCH)
            single = await children.measure(product, connections=64, requests=SINGLES, batch=1)
            alone = await children.measure(product, connections=1, requests=ALONE, batch=1)
            least = await children.measure(each, connections=1, requests=ALONE, batch=1)
            commit = commit_cost(server, server_pid)
            rounds.rates.append((ours.load.per_second, limit.load.per_second))
            rounds.batch_cpu.append((ours.cpu, commit))
            rounds.bare_cpu.append((limit.cpu, commit))
            rounds.single_cpu.append((single.cpu, commit))
            rounds.alone.append((alone.load.percentile(0.5), least.load.percentile(0.5)))
            rounds.p99.append(ours.load.percentile(0.99))
    return rounds.figures()
