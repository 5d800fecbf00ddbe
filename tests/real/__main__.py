"""`python -m tests.real run -- command…`: one Kafka and one PostgreSQL for everything the command starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.real.kafka import start_broker
from tests.real.memory import temporary_files_in_memory
from tests.real.postgres import start_postgres
from tests.real.processes import NotToBeHad

USAGE = "usage: python -m tests.real run -- command [argument…]"


def main(arguments: list[str]) -> int:
    """Start both, run the command with their addresses in its environment, stop both, return its exit code."""
    if arguments[:2] != ["run", "--"] or len(arguments) == len(["run", "--"]):
        print(USAGE, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _leave)
    with temporary_files_in_memory(), ExitStack() as servers:
        environment = dict(os.environ)
        for name, server in (("QUERENCIA_TEST_KAFKA", _kafka), ("QUERENCIA_TEST_POSTGRES", _postgres)):
            if name not in environment:
                environment[name] = servers.enter_context(server())
        return _run(arguments[2:], environment)


def _run(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


@contextmanager
def _kafka() -> Iterator[str]:
    try:
        broker = start_broker()
    except NotToBeHad as why:
        yield f"unavailable: {why}"
        return
    try:
        yield broker.address
    finally:
        broker.remove()


@contextmanager
def _postgres() -> Iterator[str]:
    try:
        server = start_postgres(durable=False)
    except NotToBeHad as why:
        yield f"unavailable: {why}"
        return
    try:
        yield server.address
    finally:
        server.remove()


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
