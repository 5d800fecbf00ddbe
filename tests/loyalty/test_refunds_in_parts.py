"""Revisions in any order, refunds in any parts, customers merged at any time: properties."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.events.ingest import Order
from tests.loyalty.shop import LADDER, START, STATES, Shop, a_life, line, order, programme

PARTS = st.lists(st.integers(1, 4_000), min_size=1, max_size=5)


@given(PARTS, st.integers(0, 100), st.sampled_from(["allow_negative", "clamp", "pending_first"]), st.integers(0, 1))
def test_a_refund_in_parts_is_a_refund_at_once(parts: list[int], spent: int, policy: str, pending: int) -> None:
    def run(steps: list[int]) -> tuple[int, ...]:
        shop = Shop(programme(pending_days=14 * pending, debt=policy))
        shop.tell(order("0", line(5_000), paid=START))
        shop.tell(order("1", line(20_050), paid=START))
        shop.grant(100)
        if spent:
            shop.redeem(spent)
        for revision, step in enumerate(steps, 2):
            shop.tell(order("1", line(20_050, refunded=step), revision=revision, paid=START))
        member = shop.member()
        return member.available, member.pending, member.debt, shop.desk.ratings["acc_1", "ord_1"].written_off

    sums = [sum(parts[:n]) for n in range(1, len(parts) + 1)]
    assert run(sums) == run(sums[-1:])


@given(st.lists(STATES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_revisions_in_any_order_and_number_end_in_the_same_balance(states: list[Any], chance: Any) -> None:
    in_turn, mixed = Shop(), Shop()
    life = a_life("1", states)
    for revision in life:
        in_turn.tell(revision)
    again = life + chance.sample(life, chance.randint(0, len(life)))
    chance.shuffle(again)
    for revision in again:
        mixed.tell(revision)
    assert (mixed.member().pending, mixed.member().earned) == (in_turn.member().pending, in_turn.member().earned)
    in_turn.passes(days=15)
    mixed.passes(days=15)
    assert mixed.member().available == in_turn.member().available


FLAT = replace(LADDER, tiers=tuple(replace(tier, percent=100) for tier in LADDER.tiers))
LIVES = st.lists(st.lists(STATES, min_size=1, max_size=3), min_size=1, max_size=4)


def mixed(lives: list[list[Order]], chance: Any) -> list[Order]:
    """All revisions, each order's own in turn, the orders' interleaved by chance."""
    left, told = [list(life) for life in lives], []
    while any(left):
        told.append(chance.choice([life for life in left if life]).pop(0))
    return told


@given(LIVES, st.randoms(use_true_random=False), st.integers(0, 12))
def test_two_customers_who_merge_are_one_customer_from_the_start(states: list[Any], chance: Any, after: int) -> None:
    lives = [a_life(str(number), life) for number, life in enumerate(states)]
    told = mixed(lives, chance)
    one, two = Shop(programme(ladder=FLAT)), Shop(programme(ladder=FLAT))
    for revision in told:
        one.tell(revision)
    for number, revision in enumerate(told):
        if number == after:
            two.merge("ana", "eva")
        two.tell(revision, "eva" if number < after and int(revision.external_id) % 2 else "ana")
    two.merge("ana", "eva")
    for shop in (one, two):
        shop.passes(days=20)
    assert (two.member().available, two.member().earned) == (one.member().available, one.member().earned)
    assert (two.member().tier, two.member().debt) == (one.member().tier, one.member().debt)


@given(LIVES, st.randoms(use_true_random=False))
def test_how_the_revisions_of_different_orders_interleave_does_not_matter(states: list[Any], chance: Any) -> None:
    lives = [a_life(str(number), life) for number, life in enumerate(states)]
    firsts = [life[0] for life in lives]
    later = mixed([life[1:] for life in lives], chance)
    plain, other = Shop(programme(ladder=LADDER)), Shop(programme(ladder=LADDER))
    for revision in [*firsts, *(revision for life in lives for revision in life[1:])]:
        plain.tell(revision)
    for revision in [*firsts, *later]:
        other.tell(revision)
    for shop in (plain, other):
        shop.passes(days=20)
    assert (other.member().available, other.member().tier) == (plain.member().available, plain.member().tier)
