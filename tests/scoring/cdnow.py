"""The published 1/10 sample of CDNOW (Fader and Hardie), out of the `lifetimes` wheel, which is fetched by name."""

import csv
import subprocess
import sys
from datetime import date, datetime
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


def split_in_half() -> tuple[Days, Days, Days, Days]:
    """All 23,570 customers: x, t_x and age in days after 39 weeks, and orders in the 39 weeks that follow."""
    begin, end, after = (date.fromisoformat(day).toordinal() for day in ("1997-01-01", "1997-09-30", "1998-06-30"))
    days: dict[str, set[int]] = {}
    for line in (datasets() / "CDNOW_master.txt").read_text().splitlines()[1:]:
        customer, day = line.split()[:2]
        days.setdefault(customer, set()).add(datetime.strptime(day, "%Y%m%d").toordinal())  # noqa: DTZ007 - a date
    rows = []
    for bought in days.values():
        before = sorted(day for day in bought if begin <= day <= end)
        rows.append(
            (len(before) - 1, before[-1] - before[0], end - before[0], sum(end < day <= after for day in bought))
        )
    x, t_x, age, orders = np.array(rows, dtype=np.int64).T
    return x, t_x, age, orders
