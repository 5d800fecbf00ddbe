"""What must hold for every small history, by HTTP through all services, in both modes."""

from hypothesis import strategies as st

from tests.system.properties import stories
from tests.system.properties.any_order import end_the_same
from tests.system.properties.consent import write_only_to_who_agreed
from tests.system.properties.lag import STANDSTILLS, remind_only_who_did_not_buy
from tests.system.properties.ledger import add_up_at_every_step
from tests.system.properties.proving import Prover
from tests.system.properties.refunds import end_as_at_once
from tests.system.properties.two_streams import equal_one_customer

pauses = st.sets(st.integers(0, 9), max_size=2)
pending_days = st.sampled_from((0, 14))
begins = st.integers(60, 60 + stories.REMINDER_MINUTES)
dice = st.randoms(use_true_random=False)


def test_any_order_and_repetition_of_deliveries_ends_the_same(prove: Prover) -> None:
    prove(end_the_same, stories.two_tellings(), pauses)


def test_two_streams_and_their_merge_equal_one_customer(prove: Prover) -> None:
    prove(equal_one_customer, stories.two_streams(), pauses)


def test_no_mail_for_a_cart_that_was_bought_in_time_whatever_lags(prove: Prover) -> None:
    prove(remind_only_who_did_not_buy, stories.a_cart_left(), st.permutations(STANDSTILLS), begins, dice)


def test_a_refund_in_parts_equals_the_same_refund_at_once(prove: Prover) -> None:
    prove(end_as_at_once, stories.an_order_given_back(), pending_days, pauses)


def test_wallets_add_up_at_every_step(prove: Prover) -> None:
    prove(add_up_at_every_step, stories.histories, pending_days)


def test_no_marketing_without_consent_or_above_the_cap(prove: Prover) -> None:
    prove(write_only_to_who_agreed, stories.a_correspondence(), pauses, rounds=1)
