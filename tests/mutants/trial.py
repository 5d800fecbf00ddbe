"""One mutant on trial: a copy of the tree with the guard taken away, and its test run there."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.guards import Mutant

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("services", "shared", "tests", "demo", "pyproject.toml")
RED = 1


def survives(mutant: Mutant) -> str:
    """Why the mutant was not killed, '' when its test went red; raises ValueError when the guard is not there."""
    with tempfile.TemporaryDirectory(prefix="querencia-mutant-") as folder:
        copy = Path(folder)
        _copy(copy)
        _mutate(copy / mutant.file, mutant)
        done = _run(copy, mutant.test)
    if done.returncode == RED:
        return ""
    return f"{mutant.test} ended with {done.returncode}\n{done.stdout[-2000:]}"


def _copy(target: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target / name)
    if (ROOT / ".cache").is_dir():
        (target / ".cache").symlink_to(ROOT / ".cache")


def _mutate(path: Path, mutant: Mutant) -> None:
    text = path.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.guard}: {mutant.old!r} stands {text.count(mutant.old)} times in {mutant.file}")
    path.write_text(text.replace(mutant.old, mutant.new))


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
