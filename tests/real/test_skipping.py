"""Without a real server its tests are skipped with a reason, and fail where nothing may be skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDS_KAFKA = "tests/real/test_servers.py::test_the_shared_broker_takes_and_gives"


@pytest.mark.parametrize(("ci", "ending"), [("", "1 skipped"), ("true", "1 error")])
def test_a_missing_broker_is_told(ci: str, ending: str) -> None:
    environment = {**os.environ, "QUERENCIA_TEST_KAFKA": "unavailable: there is no mvn", "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", NEEDS_KAFKA]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "there is no mvn" in done.stdout
    assert ending in done.stdout
    assert bool(done.returncode) == bool(ci)
