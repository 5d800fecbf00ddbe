"""CDNOW: what 23,570 customers of an online music shop bought in 18 months, out of the `lifetimes` wheel."""

import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import msgspec

WHEEL = "lifetimes==0.11.3"
FOLDER = Path(__file__).parents[1] / ".cache" / "lifetimes"
WEEK = timedelta(weeks=1)


class NotToBeHad(Exception):
    """The wheel with the history could not be fetched."""


class Purchase(msgspec.Struct, frozen=True, gc=False, order=True):
    """One real purchase: the day, who bought, its number on the published list, how many CDs, and US cents paid."""

    day: date
    customer: str
    number: int
    pieces: int
    cents: int


def datasets() -> Path:
    """The folder with the published files, fetched by name and without dependencies; raises NotToBeHad."""
    found = FOLDER / "lifetimes" / "datasets"
    if not found.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        fetched = subprocess.run(  # noqa: S603 - our own words only
            [*command, "--target", str(FOLDER), WHEEL], capture_output=True, text=True, check=False
        )
        if fetched.returncode:
            raise NotToBeHad(f"{WHEEL} is not in reach: {fetched.stderr.strip()}")
    return found


def purchases() -> list[Purchase]:
    """All 69,659 purchases as published, in order of day and customer."""
    lines = (datasets() / "CDNOW_master.txt").read_text().splitlines()[1:]
    return sorted(_purchase(number, *line.split()) for number, line in enumerate(lines, start=1))


def _purchase(number: int, customer: str, day: str, pieces: str, dollars: str) -> Purchase:
    whole, _, part = dollars.partition(".")
    cents = int(whole) * 100 + int(part.ljust(2, "0"))
    return Purchase(date.fromisoformat(day), customer, number, int(pieces), cents)


def share(bought: Sequence[Purchase], customers: int, seed: int) -> list[Purchase]:
    """The purchases of so many customers, the same ones for the same seed."""
    everybody = sorted({purchase.customer for purchase in bought})
    chosen = frozenset(random.Random(seed).sample(everybody, min(customers, len(everybody))))
    return [purchase for purchase in bought if purchase.customer in chosen]


def shifted(bought: Sequence[Purchase], last: date) -> list[Purchase]:
    """The same purchases moved by whole weeks, so that the last of them lies in the seven days up to `last`."""
    span = (last - max(purchase.day for purchase in bought)) // WEEK * WEEK
    return [msgspec.structs.replace(purchase, day=purchase.day + span) for purchase in bought]
