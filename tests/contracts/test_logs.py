"""Logs of the program and of its libraries are JSON lines in which nobody's address or number can be read."""

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from shared.observe import configure_logs
configure_logs("INFO")
try:
    raise ValueError("cannot\\nread {'email': 'ana.b@example.com', 'phone': '+34 600 000 777'}")
except ValueError:
    structlog.get_logger().exception("delivery parked", service="ingest", delivery="del_1")
    logging.getLogger("uvicorn.error").exception("of ana.b@example.com: %s", "ana.b@example.com")
"""


def test_lines_are_json_and_name_nobody() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, foreign = map(json.loads, ran.stderr.splitlines())
    assert (ours["event"], ours["level"], ours["service"], ours["delivery"]) == (
        "delivery parked", "error", "ingest", "del_1"
    )  # fmt: skip
    assert (foreign["event"], foreign["level"], foreign["service"]) == ("of ***: ***", "error", "querencia")
    for line in (ours, foreign):
        assert line["timestamp"].endswith("Z")
        assert "ValueError: cannot\nread {'email': '***', 'phone': '***'}" in line["exception"]
