"""Refits: on a timer, in a worker process, and never for the worse."""

import os
import signal
from contextlib import suppress
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from services.scoring import tables
from services.scoring.models.buying import MBG
from services.scoring.models.cards import fit_rhythm, prior_rhythm
from services.scoring.models.histories import Histories
from services.scoring.models.spending import GammaGamma
from services.scoring.records import UNCLAIMED, RefitRow
from services.scoring.refit import Known, Refit, kept, refit, rhythm_in_force
from services.scoring.refits import Refits
from services.scoring.scores import Served
from services.scoring.worker import Job, Worker
from shared.clock import machine_now
from shared.errors import Unavailable
from tests.scoring.shop import NOON, Shop, bought, order, told
from tests.scoring.some import TODAY


def a_shop(customers: int = 400, seed: int = 5) -> Known:
    """Customers of whom some come back."""
    dice = np.random.default_rng(seed)
    known = Known([TODAY] * customers, [], [], [], [])
    for customer, occasions in enumerate(dice.geometric(0.5, customers).tolist()):
        first = int(dice.integers(30, 300))
        gaps = dice.integers(1, 30, occasions - 1).cumsum().tolist()
        for gap in [gap for gap in (0, *gaps) if gap <= first]:
            known.customer.append(customer)
            known.day.append(TODAY - first + gap)
            known.value.append(int(dice.gamma(6.0, 600.0)) + 1)
            known.currency.append("EUR")
    return known


def test_a_refit_gives_parameters_cut_points_and_a_card_for_each_model() -> None:
    done = refit(a_shop(), Served())
    assert (done.served.version, done.status, len(done.served.rhythm)) == (1, "fitted", 4)
    assert list(done.cards) == ["mbg", "bg", "gamma_gamma:EUR", *(f"correction:{days}" for days in (30, 90, 180, 365))]
    assert {"log_likelihood", "gradient_norm", "curvature", "converged", "data"} < set(done.cards["mbg"])
    assert len(done.served.cuts.recency) == len(done.served.cuts.spend["EUR"]) == 4
    assert done == refit(a_shop(), Served())


def test_an_unsound_fit_leaves_the_last_good_parameters_in_force() -> None:
    good = refit(a_shop(), Served())
    model, card = prior_rhythm(MBG), fit_rhythm(MBG, Histories.of_days(*(np.full(50, 40) for _ in range(3))), None)[1]
    assert not card.sound
    assert rhythm_in_force(model, card, good.served) == good.served.rhythm
    assert (kept(good.served).rhythm, kept(good.served).status) == (good.served.rhythm, "degraded")


@pytest.mark.parametrize("customers", [30, 4000])
def test_a_shop_with_one_price_is_no_reason_for_alarm(customers: int) -> None:
    known = a_shop(customers)
    one_price = msgspec.structs.replace(known, value=[1500] * len(known.value))
    done = refit(one_price, Served())
    assert done.status == "fitted"
    assert GammaGamma(*done.served.purses["EUR"]).expected_value(1, 1500) == pytest.approx(1500, rel=0.02)


def test_a_shop_without_customers_is_served_the_prior() -> None:
    done = refit(Known([], [], [], [], []), Served())
    assert (done.status, done.served.purses) == ("prior", {})


def test_the_worker_outlives_bad_jobs_and_is_replaced_when_killed() -> None:
    worker, known = Worker(), a_shop()
    try:
        assert worker.fit(Job(known, Served())).served == refit(known, Served()).served
        with pytest.raises(ValueError, match="refit failed"):
            worker.fit(Job(msgspec.structs.replace(known, day=[1, 2]), Served()))
        os.kill(worker.pid, signal.SIGKILL)
        with suppress(Unavailable):  # or it was seen to be dead in time
            worker.fit(Job(known, Served()))
        assert worker.fit(Job(known, Served())).status == "fitted"
    finally:
        worker.close()


async def test_the_first_night_brings_a_model_and_the_next_a_newer_one(shop: Shop) -> None:
    facts = [
        bought(*(-200 + gap * visit for visit in range(1 + n % 4)), customer=f"cus_{n}")
        for n, gap in enumerate([7, 20, 33] * 20)
    ]
    await shop.hears(*(event for several in facts for event in several))
    await shop.world.passes(days=1, hours=1)
    first = await shop.asks("/v1/models")
    assert [row["version"] for row in first["data"]] == [1]
    assert first["in_force"]["status"] == first["data"][0]["status"] == "fitted"
    assert first["data"][0]["cards"]["mbg"]["customers"] == 60
    answer = await shop.asks("/v1/scores/cus_7")
    assert (answer["scores"]["model_version"], answer["scores"]["status"]) == (1, "fitted")
    assert set(answer["scores"]["rfm"].values()) <= {1, 2, 3, 4, 5}
    await shop.world.passes(days=1)
    assert (await shop.asks("/v1/models", limit=1))["in_force"]["version"] == 2
    assert await shop.is_sound()


async def test_firms_are_scored_but_do_not_shape_the_model(shop: Shop) -> None:
    people = [event for n in range(30) for event in bought(-90, -60, -n, customer=f"cus_{n}")]
    firm = [told(order(day, channel="b2b"), "cus_firm") for day in range(-100, 0)]
    await shop.hears(*people, *firm)
    await shop.world.passes(days=1, hours=1)
    card = (await shop.asks("/v1/models"))["data"][0]["cards"]["mbg"]
    assert card["customers"] == 30
    assert (await shop.asks("/v1/scores/cus_firm"))["scores"]["expected_orders"]["30"] > 1


def _fails(_job: Job) -> Refit:
    raise ValueError("no luck tonight")


async def test_a_night_on_which_the_fit_fails_keeps_the_last_good_model(corner_shop: Shop) -> None:
    world = corner_shop.world
    await corner_shop.hears(*(event for n in range(30) for event in bought(-90, -60, -n, customer=f"cus_{n}")))
    await world.passes(days=1, hours=1)
    before = (await corner_shop.asks("/v1/models"))["in_force"]
    async with world.of("scoring").db.write() as tx:
        await tx.upsert_many(tables.refit, [RefitRow("acc_1", NOON, UNCLAIMED)])
    assert await Refits(world.of("scoring"), _fails).step() == 1
    after = (await corner_shop.asks("/v1/models"))["in_force"]
    assert (before["status"], after["status"], after["version"]) == ("fitted", "degraded", 2)
    assert (after["rhythm"], after["purses"]) == (before["rhythm"], before["purses"])
    assert (await corner_shop.asks("/v1/scores/cus_3"))["scores"]["status"] == "degraded"


async def test_a_request_that_somebody_works_on_is_left_alone(corner_shop: Shop) -> None:
    running = corner_shop.world.of("scoring")
    async with running.db.write() as tx:
        await tx.upsert_many(tables.refit, [RefitRow("acc_1", NOON, machine_now() + timedelta(minutes=1))])
    assert await Refits(running, _fails).step() == 0
