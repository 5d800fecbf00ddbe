"""The published 1/10 sample of CDNOW (Fader and Hardie), out of the `lifetimes` wheel, which is fetched by name."""

import csv
import subprocess
import sys
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.scoring.models.histories import Histories
from services.scoring.models.spending import Spend

Days = NDArray[np.int64]

WHEEL = "lifetimes==0.11.3"
FOLDER = Path(__file__).parents[2] / ".cache" / "lifetimes"
DATASETS = FOLDER / "lifetimes" / "datasets"


@cache
def datasets() -> Path:
    """Folder with the published files; without them the test is skipped, which fails under CI."""
    if not DATASETS.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(FOLDER), WHEEL]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False)
        if fetched.returncode:
            pytest.skip(f"{WHEEL} is not in reach: {fetched.stderr.strip()}")
    return DATASETS


def _columns(name: str, *columns: str) -> list[np.ndarray]:
    with (datasets() / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [np.array([float(row[column]) for row in rows]) for column in columns]


def histories() -> Histories:
    """Repeat purchases, recency and age of the 2,357 customers, in weeks as published."""
    x, t_x, age = _columns("cdnow_customers_summary.csv", "frequency", "recency", "T")
    return Histories(x, t_x, age, np.ones_like(x))


def repeat_spend() -> Spend:
    """Repeat purchases and their mean value of the 946 who came back, in dollars as published."""
    x, mean = _columns("cdnow_customers_summary_with_transactions.csv", "x", "zbar")
    return Spend(x[x > 0], mean[x > 0])


@cache
def purchases() -> tuple[Days, Days, Days]:
    """Every purchase of all 23,570 customers: customer (from 0), ordinal day, value in cents."""
    lines = (datasets() / "CDNOW_master.txt").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    days = [datetime.strptime(row[1], "%Y%m%d").toordinal() for row in rows]  # noqa: DTZ007 - a date
    cents = [round(100 * float(row[3])) for row in rows]
    return np.array([int(row[0]) - 1 for row in rows]), np.array(days), np.array(cents)
