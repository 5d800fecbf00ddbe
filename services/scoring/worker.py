"""Refits run in a worker process, so that HTTP and facts never wait for one.

The worker reads jobs from its standard input and ends with it: killing the parent leaves nobody behind.
"""

import atexit
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import IO, cast

import msgspec

from services.scoring.refit import Known, Refit, refit
from services.scoring.scores import Served
from shared.errors import Unavailable

_HEAD = 8
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # for four columns threads cost ten times the work
_ROOT = Path(__file__).parents[2]


class Job(msgspec.Struct, frozen=True):
    """What one refit is made of."""

    known: Known
    before: Served


def _write(pipe: IO[bytes], body: bytes) -> None:
    pipe.write(len(body).to_bytes(_HEAD) + body)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    """One message; empty at the end of the pipe."""
    return pipe.read(int.from_bytes(pipe.read(_HEAD)))


class Worker:
    """This process's one worker; started at the first job and again after it died."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def fit(self, job: Job) -> Refit:
        """Run one refit, blocking; raises Unavailable when the worker died over it, ValueError when the fit failed."""
        with self._lock:
            process = self._running()
            try:
                _write(cast("IO[bytes]", process.stdin), msgspec.msgpack.encode(job))
                answer = _read(cast("IO[bytes]", process.stdout))
            except OSError:
                answer = b""
        if not answer:
            self.close()
            raise Unavailable("the worker that refits models died")
        refitted = msgspec.msgpack.decode(answer, type=Refit | None)
        if refitted is None:
            raise ValueError("the refit failed")
        return refitted

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        with self._lock:
            return self._running().pid

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.scoring.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                env={**os.environ, **_ONE_THREAD},
                start_new_session=True,  # Ctrl-C is the parent's business
            )
        return self._process

    def close(self) -> None:
        """End the worker, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()


WORKER = Worker()
atexit.register(WORKER.close)


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer jobs until their pipe ends; a fit that raises is answered by None."""
    while body := _read(jobs):
        job = msgspec.msgpack.decode(body, type=Job)
        try:
            done: Refit | None = refit(job.known, job.before)
        except (ArithmeticError, ValueError):
            done = None
        _write(answers, msgspec.msgpack.encode(done))


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
