"""`python -m tests.faults.nursery`: has everything imported once and forks the program from there, many times a minute.

A child is a process of its own that runs `python -m …` as the command line would, less the seconds of importing.
"""

import contextlib
import faulthandler
import gc
import json
import os
import random
import runpy
import selectors
import signal
import sys
from typing import Any

import uvicorn.protocols.http.httptools_impl

from services.__main__ import load
from tests.faults import launch

PRELOADED = (launch, uvicorn.protocols.http.httptools_impl)
ALIVE: set[int] = set()


def say(**line: Any) -> None:
    """One line to whoever started the nursery."""
    os.write(1, (json.dumps(line) + "\n").encode())


def bear(order: dict[str, Any]) -> None:
    """Fork a child that runs a module as the main program; tells its process id."""
    child = os.fork()
    if child == 0:
        os._exit(grow(order))
    ALIVE.add(child)
    say(born=child, ticket=order["ticket"])


def grow(order: dict[str, Any]) -> int:
    """The child: take on the folder, environment and output that were ordered, and run; gives the exit code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (out, 2)):
        os.dup2(stream, number)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    random.seed()
    module, *words = order["program"]
    sys.argv = [module, *words]
    for main in ("services.__main__", launch.__name__):  # what is run is not what was imported
        sys.modules.pop(main, None)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter would do: the traceback, and 1
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def bury() -> None:
    """Tell of every child that has ended, with its exit code (negative: the signal)."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            ALIVE.discard(ended[0])
            say(gone=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def main() -> None:
    """Take orders, one JSON line each, until there will be none; then kill who is left."""
    load([])
    gc.freeze()
    heard, noticed = os.pipe()
    for end in (heard, noticed):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(noticed)
    ears = selectors.DefaultSelector()
    ears.register(0, selectors.EVENT_READ)
    ears.register(heard, selectors.EVENT_READ)
    say(ready=True)
    left = b""
    while True:
        for key, _ in ears.select():
            if key.fd == heard:
                os.read(heard, 4096)
                bury()
                continue
            read = os.read(0, 65_536)
            if not read:
                for child in ALIVE:
                    os.kill(child, signal.SIGKILL)
                return
            *lines, left = (left + read).split(b"\n")
            for line in lines:
                bear(json.loads(line))


if __name__ == "__main__":
    main()
