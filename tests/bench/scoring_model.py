"""Fitting and scoring against `lifetimes`, in CPU time: customers a second, and one event with all its scores."""

import asyncio
import os
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd  # type: ignore[import-untyped]

from services.scoring.features import Habit, Purchase, add, fold
from services.scoring.models.buying import BG, MBG
from services.scoring.models.cards import fit_rhythm
from services.scoring.models.forecast import Correction
from services.scoring.models.histories import Column, Histories
from services.scoring.models.ledger import Ledger
from services.scoring.scores import score
from shared.runtime import collect_seldom
from tests.bench.cpu import own_seconds
from tests.bench.figures import Figure, figure
from tests.scoring import cdnow
from tests.scoring.some import SERVED

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter  # type: ignore[import-untyped]

ROUNDS = 3
EVENTS = 3000
MILLION = 1_000_000
CORRECTIONS = tuple(Correction(days, days, 0.1, -0.3, -0.1, -0.2, 0.01, 0.05, -0.03) for days in (30, 90, 180, 365))
Columns = tuple[Column, Column, Column]


async def measure() -> list[Figure]:
    """Run in a process of its own with one thread, as the worker that refits does."""
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = (sys.executable, "-W", "ignore", "-m", "tests.bench.scoring_model")
    process = await asyncio.create_subprocess_exec(*command, env=one_thread, stdout=asyncio.subprocess.PIPE)
    answer, _ = await process.communicate()
    return msgspec.json.decode(answer, type=list[Figure])


def _figures() -> list[Figure]:
    everybody = _everybody()
    million = _a_million(everybody)
    return [
        figure("fit of 23,570 customers / lifetimes", "model", "customers/s", _fits(everybody, times=10), floor=20),
        figure("fit of 1,000,000 customers / lifetimes", "model", "customers/s", _fits(million, rounds=1), floor=10),
        figure("expected orders of 1,000,000 / lifetimes", "model", "customers/s", _scores(million), floor=5),
        figure("event to all scores / one lifetimes figure", "model", "events/s", _events(), floor=4),
    ]


def _everybody() -> Columns:
    customer, day, value = cdnow.purchases()
    who = Ledger.of(customer, day, value, np.full(len(day), "USD")).at(int(day.max()) - 273).who
    return who.x, who.t_x, who.age


def _a_million(rows: Columns) -> Columns:
    """The same customers over and over, each with up to 300 days of silence more."""
    dice = np.random.default_rng(1)
    drawn = dice.integers(0, len(rows[0]), MILLION)
    return rows[0][drawn], rows[1][drawn], rows[2][drawn] + dice.integers(0, 300, MILLION)


def _seconds(work: Callable[[], Any]) -> float:
    begun = own_seconds()
    work()
    return max(own_seconds() - begun, 1e-6)


def _fits(rows: Columns, rounds: int = ROUNDS, times: int = 1) -> list[tuple[float, float]]:
    """Ours so many times a round, since one of few customers is over before it can be timed well."""
    x, t_x, age = (column.astype(np.int64) for column in rows)
    many = len(x)
    return [
        (
            many * times / _seconds(lambda: [fit_rhythm(BG, Histories.of_days(x, t_x, age)) for _ in range(times)]),
            many / _seconds(lambda: BetaGeoFitter().fit(*rows)),
        )
        for _ in range(rounds)
    ]


def _oracle() -> Any:
    """Theirs with our parameters, held as a fit of theirs holds them."""
    oracle = BetaGeoFitter()
    oracle.params_ = pd.Series(SERVED.rhythm, index=["r", "alpha", "a", "b"])
    oracle.predict = oracle.conditional_expected_number_of_purchases_up_to_time
    return oracle


def _scores(rows: Columns) -> list[tuple[float, float]]:
    model, oracle = MBG(*SERVED.rhythm), _oracle()
    theirs = oracle.predict
    return [
        (
            MILLION / _seconds(lambda: model.expected_orders_many(*rows, 90.0)),
            MILLION / _seconds(lambda: theirs(90.0, *rows)),
        )
        for _ in range(ROUNDS)
    ]


def _events() -> list[tuple[float, float]]:
    """The last purchase of customers as it comes in, and one figure of theirs as the manual of `lifetimes` asks for it.

    A first round that does not count lets either remember what it will.
    """
    served = msgspec.structs.replace(SERVED, corrections=CORRECTIONS, units={"EUR": 3000.0})
    events, oracle = _last_purchases(), _oracle()
    rows = zip(*(column[:EVENTS] for column in _everybody()), strict=True)
    people = [pd.Series({"frequency": x, "recency": t_x, "T": age}) for x, t_x, age in rows]
    collect_seldom()

    def ours() -> None:
        for habit, one in events:
            score(add(habit, one), served, one.day)

    def theirs() -> None:
        for one in people:
            oracle.predict(90.0, one["frequency"], one["recency"], one["T"])

    seconds = [(_seconds(ours), _seconds(theirs)) for _ in range(ROUNDS + 1)]
    return [(EVENTS / mine, EVENTS / others) for mine, others in seconds[1:]]


def _last_purchases() -> list[tuple[Habit, Purchase]]:
    """Habits of customers before their last purchase, and that."""
    lists = defaultdict[int, list[Purchase]](list)
    for number, (customer, day, cents) in enumerate(zip(*cdnow.purchases(), strict=True)):
        lists[int(customer)].append(Purchase(str(number), 1, "sto_a", "UTC", int(day), "EUR", int(cents), counts=True))
    ordered = [sorted(some, key=lambda one: (one.day, one.order)) for some in list(lists.values())[:EVENTS]]
    return [(fold(some[:-1]), some[-1]) for some in ordered]


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_figures()))
