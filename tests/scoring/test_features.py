"""A customer's habit is the same to the bit however her purchases became known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.features import NOBODY, Habit, Purchase, add, fits_on_top, fold, purchase_of, same_for_scores
from shared.events.ingest import OrderStatus
from tests.scoring.some import a_purchase, an_order, habit_of, purchases

UTC, MADRID = "UTC", "Europe/Madrid"


def told(deliveries: list[Purchase]) -> tuple[Habit, dict[str, Purchase]]:
    """Take in revisions one by one as the service does: on top where that is sound, else from the whole list."""
    habit, known = NOBODY, dict[str, Purchase]()
    for newest in deliveries:
        before = known.get(newest.order)
        if before is not None and before.revision >= newest.revision:
            continue
        known[newest.order] = newest
        if before is not None and same_for_scores(before, newest):
            continue
        habit = add(habit, newest) if fits_on_top(habit, before, newest) else fold(known.values())
    return habit, known


def one_per_revision(deliveries: list[Purchase]) -> list[Purchase]:
    return list({(one.order, one.revision): one for one in deliveries}.values())


@given(st.data(), st.lists(purchases, max_size=12).map(one_per_revision))
def test_any_order_and_any_repetition_ends_in_the_same_habit(data: st.DataObject, deliveries: list[Purchase]) -> None:
    again = data.draw(st.lists(st.sampled_from(deliveries), max_size=6)) if deliveries else []
    shuffled = data.draw(st.permutations([*deliveries, *again]))
    habit, known = told(deliveries)
    assert told(shuffled) == (habit, known)
    assert habit == fold(known.values())


@given(st.lists(purchases, max_size=8, unique_by=lambda one: one.order), st.integers(0, 8))
def test_two_streams_and_their_merge_equal_one_customer_from_the_start(everything: list[Purchase], cut: int) -> None:
    mine, hers = everything[:cut], everything[cut:]
    assert fold([*told(hers)[1].values(), *told(mine)[1].values()]) == told(everything)[0]


def test_purchases_of_a_day_are_one_occasion_with_the_money_summed() -> None:
    habit = fold([a_purchase(-9, "a", 1000), a_purchase(-9, "b", 500), a_purchase(0, "c", 250)])
    assert (habit.occasions, habit.orders, habit.repeats, habit.span) == (2, 3, 1, 9)
    assert (habit.purse.days, habit.purse.total) == (2, 1750)


def test_a_gift_is_an_occasion_without_value() -> None:
    habit = habit_of(-9, value=0)
    assert (habit.occasions, habit.purse.days, habit.purse.total) == (1, 0, 0)


def test_currencies_are_kept_apart() -> None:
    habit = fold([a_purchase(-9, value=1000), a_purchase(-5, value=2000, currency="USD"), a_purchase(-1, value=100)])
    assert [(one.currency, one.days, one.total) for one in habit.purses] == [("EUR", 2, 1100), ("USD", 1, 2000)]
    assert (habit.currency, habit.purse.total) == ("EUR", 1100)


def test_an_order_counts_when_paid_by_the_shops_own_calendar_and_without_shipping() -> None:
    madrid = purchase_of(an_order(), "sto_a", MADRID)
    assert madrid.counts
    assert madrid.value == 3500
    assert madrid.day == purchase_of(an_order(), "sto_a", UTC).day + 1
    assert purchase_of(an_order(refunded=3000), "sto_a", UTC).value == 500


@pytest.mark.parametrize(
    "order",
    [
        an_order(paid=False),
        an_order(test=True),
        an_order(OrderStatus.CANCELLED),
        an_order(OrderStatus.REFUNDED, refunded=3000),
    ],
    ids=["unpaid", "test", "cancelled", "refunded"],
)
def test_what_does_not_count(order: object) -> None:
    purchase = purchase_of(order, "sto_a", UTC)  # type: ignore[arg-type] # pytest hands parameters over untyped
    assert not purchase.counts
    assert fold([purchase]) == NOBODY


def test_who_returns_her_only_order_is_a_prospect_again() -> None:
    bought = purchase_of(an_order(), "sto_a", UTC)
    returned = purchase_of(an_order(OrderStatus.REFUNDED), "sto_a", UTC)
    assert told([bought])[0].occasions == 1
    assert fold([returned]) == NOBODY
    assert not same_for_scores(bought, returned)
    assert not fits_on_top(fold([bought]), bought, returned)
