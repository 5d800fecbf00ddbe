"""One mutant on trial: a copy of the tree with the guard taken away, and its test run there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.guards import Mutant
from tests.trees import ROOT, changed, copied

COPIED = ("services", "shared", "tests", "demo", "pyproject.toml")
RED = 1


def survives(mutant: Mutant) -> str:
    """Why the mutant was not killed, '' when its test went red; raises ValueError when the guard is not there."""
    with tempfile.TemporaryDirectory(prefix="querencia-mutant-") as folder:
        copy = Path(folder)
        copied(copy, *COPIED)
        if (ROOT / ".cache").is_dir():
            (copy / ".cache").symlink_to(ROOT / ".cache")
        changed(copy, mutant.file, mutant.old, mutant.new)
        done = _run(copy, mutant.test)
    if done.returncode == RED:
        return ""
    return f"{mutant.test} ended with {done.returncode}\n{done.stdout[-2000:]}"


def _run(copy: Path, test: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=--import-mode=importlib",
    ]
    return subprocess.run(
        [*command, "-p", "no:randomly", test],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
