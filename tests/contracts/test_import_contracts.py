"""Each import contract bites: one forbidden line in a copy of the tree, and it is the one that breaks."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

TRESPASSES = {
    "one-way": ("shared/partition.py", "import services.loyalty.rules"),
    "strangers": ("services/loyalty/earning.py", "import services.scoring.scores"),
    "kernel": ("shared/errors.py", "import shared.clock"),
    "ingest": ("services/ingest/money.py", "import services.ingest.orders"),
    "loyalty": ("services/loyalty/records.py", "import services.loyalty.tiers"),
    "scoring": ("services/scoring/features.py", "import services.scoring.scores"),
    "notifications": ("services/notifications/quiet.py", "import services.notifications.policy"),
    "pure": ("services/loyalty/rules/spend.py", "import sqlalchemy"),
    "outbox": ("services/loyalty/handlers.py", "import shared.bus.connect"),
    "circles": ("shared/events/base.py", "import shared.events.loyalty"),
}
UNPLACED = ("shared", "services/ingest", "services/loyalty", "services/scoring", "services/notifications")


def _contracts() -> dict[str, str]:
    """Name of each contract by its id."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): config[name]["name"] for name in config.sections() if name.startswith(prefix)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the packages and their contracts."""
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for package in ("services", "shared"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _broken(tree: Path) -> set[str]:
    """Names of the contracts that do not hold in this tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [str(LINT_IMPORTS), "--no-cache", "--config", str(tree / ".importlinter")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    broken = set(re.findall(r"^(.+) BROKEN", done.stdout, re.MULTILINE))
    assert bool(broken) == bool(done.returncode)
    return broken


def test_all_contracts_hold(tree: Path) -> None:
    assert _broken(tree) == set()


def test_every_contract_has_its_trespass() -> None:
    assert set(TRESPASSES) == set(_contracts())


@pytest.mark.parametrize("contract", TRESPASSES)
def test_a_forbidden_import_breaks_its_contract(tree: Path, contract: str) -> None:
    path, line = TRESPASSES[contract]
    with (tree / path).open("a") as module:
        module.write(f"\n{line}\n")
    assert _contracts()[contract] in _broken(tree)


@pytest.mark.parametrize("package", UNPLACED)
def test_a_module_without_a_place_breaks_its_ladder(tree: Path, package: str) -> None:
    (tree / package / "helpers.py").write_text('"""Everything else."""\n')
    name = "kernel" if package == "shared" else Path(package).name
    assert _broken(tree) == {_contracts()[name]}
