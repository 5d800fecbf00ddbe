"""The gateway of the distributed mode as a process: Caddy with the very file that compose mounts."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.real.processes import NotToBeHad, end, free_port, wait_for_port

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy/gateway/Caddyfile"


@contextmanager
def gateway(folder: Path, upstreams: Mapping[str, Sequence[int]]) -> Iterator[str]:
    """URL of a gateway that passes each service's paths to its ports of 127.0.0.1; raises NotToBeHad."""
    caddy = shutil.which("caddy")
    if caddy is None:
        message = "no gateway: there is no caddy on the path"
        raise NotToBeHad(message)
    port = free_port()
    environment = {
        f"{service.upper()}_UPSTREAM": " ".join(f"127.0.0.1:{upstream}" for upstream in ports)
        for service, ports in upstreams.items()
    }
    environment |= {"GATEWAY_ADDRESS": f"http://127.0.0.1:{port}", "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    log = folder / "gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [caddy, "run", "--adapter", "caddyfile", "--config", CADDYFILE],
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_port(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)
