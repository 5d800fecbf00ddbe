"""Orders, redemptions and time on one wallet, in memory: stories first, then properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.loyalty import holds
from services.loyalty.programmes import Rate
from services.loyalty.redemptions import adjust, reverse
from services.loyalty.tiers import Ladder, Tier
from shared.errors import Refused
from shared.events import Lane
from shared.events.ingest import Order, OrderStatus
from shared.events.loyalty import (
    OrderRated,
    PointsActivated,
    PointsExpired,
    PointsExpiring,
    PointsRedeemed,
    TierDowngraded,
    TierUpgraded,
)
from tests.loyalty.shop import DAY, START, Shop, line, order, programme

AT_ONCE = programme(pending_days=0)


def test_a_purchase_becomes_pending_points_and_then_available_ones() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_050)))
    assert (shop.member().pending, shop.member().available) == (100, 0)
    [rated] = shop.facts(OrderRated)
    assert (rated.points, rated.change, rated.available_at) == (100, 100, START + 14 * DAY)
    shop.passes(days=14)
    assert (shop.member().pending, shop.member().available) == (0, 100)
    assert [fact.points for fact in shop.facts(PointsActivated)] == [100]


def test_the_same_or_an_older_revision_changes_nothing() -> None:
    shop = Shop()
    shop.tell(order("1", line(5_000), revision=2))
    before = shop.member()
    shop.tell(order("1", line(9_000), revision=2))
    shop.tell(order("1", line(9_000), revision=1))
    assert shop.member() == before
    assert len(shop.facts(OrderRated)) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"test": True},
        {"lane": Lane.HISTORY},
        {"paid": START - DAY},
        {"paid": None},
        {"currency": "GBP"},
        {"status": OrderStatus.CANCELLED},
    ],
)
def test_what_may_not_earn_is_rated_with_nothing_and_never_earns_by_an_edit(more: dict[str, Any]) -> None:
    shop = Shop()
    shop.tell(order("1", line(5_000), **more))
    shop.tell(order("1", line(9_000), revision=2, **more))
    assert shop.member().pending == 0
    assert [fact.points for fact in shop.facts(OrderRated)] == [0, 0]


def test_a_store_outside_the_programme_does_not_earn() -> None:
    shop = Shop(programme(stores=frozenset({"sto_2"})))
    shop.tell(order("1", line(5_000)))
    assert shop.member().pending == 0


def test_another_currency_keeps_the_rate_of_its_first_rating() -> None:
    shop = Shop(programme(rates=(Rate(currency="GBP", numerator=115, denominator=100),)))
    shop.tell(order("1", line(10_000), currency="GBP"))
    assert shop.member().pending == 115
    shop.terms = programme(rates=(Rate(currency="GBP", numerator=2, denominator=1),))
    shop.tell(order("1", line(10_000, refunded=5_000), currency="GBP", revision=2))
    assert shop.member().pending == 57


@pytest.mark.parametrize(
    ("net", "change"), [(8_000, -20), (12_000, 20), (10_000, 0), (0, -100)], ids=["down", "up", "same", "nothing"]
)
def test_an_edit_posts_the_difference(net: int, change: int) -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(net), revision=2))
    assert shop.member().pending == 100 + change
    assert shop.facts(OrderRated)[-1].change == change


def test_a_line_swapped_for_an_excluded_one_of_equal_price_takes_its_points() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000, kind="gift_card"), revision=2))
    assert shop.member().pending == 0


def test_a_refund_of_an_excluded_line_takes_nothing() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000), line(3_000, name="tip", kind="tip")))
    shop.tell(order("1", line(10_000), line(3_000, name="tip", kind="tip", refunded=3_000), revision=2))
    assert shop.member().pending == 100


def spent_80_of_100(policy: str) -> Shop:
    shop = Shop(programme(pending_days=0, debt=policy))
    shop.tell(order("1", line(10_000)))
    shop.redeem(80)
    return shop


def test_points_that_were_spent_become_debt_which_the_next_earns_pay_first() -> None:
    shop = spent_80_of_100("allow_negative")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().debt) == (-30, 30)
    with pytest.raises(Refused, match="0 available"):
        shop.redeem(1)
    shop.tell(order("2", line(5_000)))
    assert (shop.member().available, shop.member().debt) == (20, 0)
    assert [lot.remaining for lot in shop.lots()] == [20]


def test_maturing_points_pay_debt_first() -> None:
    shop = spent_80_of_100("allow_negative")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    shop.desk.versions["acc_1"] = Shop(programme(pending_days=14)).desk.versions["acc_1"]
    shop.tell(order("2", line(5_000)))
    assert (shop.member().available, shop.member().pending) == (-30, 50)
    shop.passes(days=14)
    assert (shop.member().available, shop.member().pending) == (20, 0)


def test_clamp_writes_off_what_is_gone_and_gives_it_back_only_once() -> None:
    shop = spent_80_of_100("clamp")
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().debt) == (0, 0)
    assert shop.desk.ratings["acc_1", "ord_1"].written_off == 30
    shop.tell(order("1", line(10_000), revision=3))
    assert shop.member().available == 20
    assert shop.desk.ratings["acc_1", "ord_1"].written_off == 0


def test_pending_first_takes_pending_points_before_debt() -> None:
    shop = spent_80_of_100("pending_first")
    shop.desk.versions["acc_1"] = Shop(programme(debt="pending_first")).desk.versions["acc_1"]
    shop.tell(order("2", line(10_000)))
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert (shop.member().available, shop.member().pending) == (0, 70)


def test_a_dispute_takes_all_points_once_and_a_won_one_restores_them_once() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.passes(days=20)
    for revision, status, points in (
        (2, OrderStatus.DISPUTED, 0),
        (3, OrderStatus.DISPUTED, 0),
        (4, OrderStatus.DISPUTE_WON, 100),
        (5, OrderStatus.DISPUTE_WON, 100),
    ):
        shop.tell(order("1", line(10_000), revision=revision, status=status))
        assert shop.member().available == points


def test_a_refund_before_activation_leaves_nothing_to_activate() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000, refunded=10_000), revision=2, status=OrderStatus.REFUNDED))
    shop.passes(days=30)
    assert (shop.member().pending, shop.member().available) == (0, 0)
    assert not shop.facts(PointsActivated)


def test_an_order_that_moves_takes_its_points_along_and_leaves_what_was_spent() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)), "ana")
    shop.redeem(80, "ana")
    shop.tell(order("1", line(10_000), revision=2), "eva")
    assert (shop.member("ana").available, shop.member("eva").available) == (-80, 100)
    assert (shop.member("ana").earned, shop.member("eva").earned) == (0, 100)
    shop.tell(order("1", line(10_000, refunded=10_000), revision=3), "eva")
    assert shop.member("eva").available == 0


def test_the_debt_of_one_is_paid_by_the_points_of_the_other_when_they_merge() -> None:
    for survivor, loser in (("ana", "eva"), ("eva", "ana")):
        shop = Shop(AT_ONCE)
        shop.tell(order("1", line(10_000)), "ana")
        shop.redeem(80, "ana")
        shop.tell(order("1", line(10_000, refunded=10_000), revision=2), "ana")
        shop.tell(order("2", line(20_000)), "eva")
        shop.merge(survivor, loser)
        assert (shop.member(survivor).available, shop.member(survivor).debt) == (120, 0)
        assert [lot.remaining for lot in shop.lots(survivor)] == [120]


def test_a_merge_brings_the_tier_that_both_reach_together() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(6_000)), "ana")
    shop.tell(order("2", line(6_000)), "eva")
    shop.merge("ana", "eva")
    assert shop.member("ana").tier == "mid"
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierUpgraded)] == [("mid", "low")]


def test_an_emptied_lot_of_a_merged_customer_is_filled_again_for_the_survivor() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)), "eva")
    shop.redeem(100, "eva")
    shop.merge("ana", "eva")
    shop.tell(order("1", line(12_000), revision=2), "ana")
    assert (shop.member("ana").available, shop.member("eva").available) == (20, 0)
    assert [lot.remaining for lot in shop.lots("ana")] == [20]


def test_points_expire_once_at_the_end_of_the_last_local_day_after_one_notice() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)))
    shop.redeem(40)
    shop.passes(days=365 + 1)
    assert [(fact.points, fact.balance) for fact in shop.facts(PointsExpired)] == [(60, 0)]
    assert [fact.points for fact in shop.facts(PointsExpiring)] == [60]
    shop.passes(days=400)
    assert len(shop.facts(PointsExpired)) == 1


def test_a_lot_that_was_spent_wholly_gets_no_expiry() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)))
    shop.redeem(100)
    shop.passes(days=800)
    assert not shop.facts(PointsExpired)


def test_what_expires_soonest_is_spent_first_and_what_never_expires_last() -> None:
    shop = Shop(programme(pending_days=0, expiry_months=None))
    shop.tell(order("never", line(1_000)))
    shop.desk.versions["acc_1"] = Shop(AT_ONCE).desk.versions["acc_1"]
    shop.passes(days=3)
    shop.tell(order("late", line(1_000), paid=shop.now))
    shop.tell(order("soon", line(1_000), paid=START + DAY))
    shop.redeem(15)
    assert {lot.source: lot.remaining for lot in shop.lots()} == {"ord_never": 10, "ord_late": 5}


def test_a_reversed_redemption_goes_back_into_its_lots_with_their_expiry() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    shop.tell(order("2", line(2_000)))
    before = {lot.id: (lot.remaining, lot.expires_at) for lot in shop.lots()}
    redemption = shop.redeem(25)
    assert [fact.points for fact in shop.facts(PointsRedeemed)] == [25]
    shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert {lot.id: (lot.remaining, lot.expires_at) for lot in shop.lots()} == before
    with pytest.raises(Refused) as again:
        shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert again.value.code == "already_reversed"


def test_points_that_come_back_after_their_expiry_expire_at_once() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    redemption = shop.redeem(10)
    shop.passes(days=500)
    shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert shop.member().available == 10
    shop.passes(days=0)
    assert shop.member().available == 0
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]


def test_held_points_outlive_their_expiry_until_they_are_released() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    shop.passes(days=365)
    hold = shop.hold(10, minutes=60 * 48)
    shop.passes(days=1.5)
    assert (shop.member().held, shop.member().available) == (10, 0)
    shop.ask(lambda command, desk: holds.release(command, desk, hold))
    shop.passes(days=0)
    assert (shop.member().held, shop.member().available) == (0, 0)
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]


def test_a_hold_that_is_over_cannot_be_captured_even_before_its_timer_has_run() -> None:
    shop = Shop(AT_ONCE)
    shop.grant(10)
    hold = shop.hold(10)
    shop.now += DAY
    with pytest.raises(Refused) as over:
        shop.ask(lambda command, desk: holds.capture(command, desk, hold))
    assert over.value.code == "hold_expired"


LADDER = Ladder(
    tiers=(Tier(name="low"), Tier(name="mid", threshold=100, percent=150), Tier(name="top", threshold=400)),
    window_days=60,
    grace_days=10,
)
CLIMB = programme(pending_days=0, expiry_months=None, ladder=LADDER)


def test_a_tier_is_reached_at_once_and_multiplies_only_what_comes_after() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    assert shop.member().available == 100
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierUpgraded)] == [("mid", "low")]
    shop.passes(days=1)
    shop.tell(order("2", line(10_000), paid=shop.now))
    assert shop.member().available == 250


def test_the_tier_falls_when_the_grace_period_is_over_and_never_by_spending() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.redeem(100)
    assert shop.member().tier == "mid"
    shop.passes(days=69)
    assert shop.member().tier == "mid"
    shop.passes(days=2)
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierDowngraded)] == [("low", "mid")]
    shop.passes(days=400)
    assert len(shop.facts(TierDowngraded)) == 1


def test_a_late_order_is_rated_with_the_tier_at_the_time_it_was_paid() -> None:
    shop = Shop(CLIMB)
    shop.passes(days=5)
    shop.tell(order("1", line(10_000), paid=shop.now))
    shop.tell(order("0", line(10_000), paid=START))
    assert shop.member().available == 200


def test_a_refund_in_the_multiplied_rate_of_its_award() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.passes(days=1)
    shop.tell(order("2", line(10_000), paid=START + DAY))
    shop.passes(days=200)
    assert shop.member().tier == "low"
    shop.tell(order("2", line(10_000, refunded=5_000), revision=2, paid=START + DAY))
    assert shop.member().available == 250 - 75


def test_points_by_hand_move_the_tier_only_when_they_qualify() -> None:
    shop = Shop(CLIMB)
    shop.grant(150)
    assert (shop.member().available, shop.member().tier) == (150, "low")
    shop.ask(lambda command, desk: adjust(command, desk, 150, "thanks", "ops", qualifies=True))
    assert (shop.member().available, shop.member().tier) == (300, "mid")
    shop.ask(lambda command, desk: adjust(command, desk, -350, "mistake", "ops"))
    assert shop.member().available == -50


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


STATES = st.builds(
    lambda net, share, status: (net, net * share // 100, status),
    st.integers(0, 30_000),
    st.integers(0, 100),
    st.sampled_from([OrderStatus.PAID, OrderStatus.PARTLY_REFUNDED, OrderStatus.CANCELLED, OrderStatus.DISPUTED]),
)


def a_life(name: str, states: list[tuple[int, int, OrderStatus]]) -> list[Order]:
    return [
        order(name, line(net, refunded=back), revision=n, status=status)
        for n, (net, back, status) in enumerate(states, 1)
    ]


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


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(0, 3), STATES),
        st.tuples(st.just("spend"), st.integers(1, 200)),
        st.tuples(st.just("back"), st.integers(0, 5)),
        st.tuples(st.just("hold"), st.integers(1, 200)),
        st.tuples(st.just("end"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("grant"), st.integers(-150, 150).filter(bool)),
        st.tuples(st.just("pass"), st.integers(1, 200)),
        st.tuples(st.just("merge"), st.integers(0, 1)),
        st.tuples(st.just("move"), st.integers(0, 3)),
    ),
    max_size=25,
)


class Life:
    """Two customers of one shop, to whom anything may happen in any order."""

    def __init__(self, policy: str, pending: int) -> None:
        self.shop = Shop(programme(pending_days=pending, debt=policy, ladder=LADDER))
        self.names = ["ana", "eva"]
        self.orders: dict[int, Order] = {}
        self.owner: dict[int, str] = {}
        self.redemptions: list[tuple[str, str]] = []
        self.holds: list[tuple[str, str]] = []

    def order(self, number: int, state: tuple[int, int, OrderStatus]) -> None:
        net, back, status = state
        last = self.orders.get(number)
        revision, paid = (1, self.shop.now) if last is None else (last.revision + 1, last.paid_at)
        owner = self.owner.setdefault(number, self.names[number % len(self.names)])
        made = order(str(number), line(net, refunded=back), revision=revision, status=status, paid=paid)
        self.orders[number] = made
        self.shop.tell(made, owner)

    def spend(self, points: int) -> None:
        for name in self.names:
            try:
                self.redemptions.append((name, self.shop.redeem(points, name)))
            except Refused as refused:
                assert refused.code == "insufficient_points"  # noqa: PT017 - a refusal is one of two good outcomes

    def back(self, number: int) -> None:
        if number < len(self.redemptions):
            name, redemption = self.redemptions.pop(number)
            name = name if name in self.names else self.names[0]
            self.shop.ask(lambda command, desk: reverse(command, desk, redemption), name)

    def hold(self, points: int) -> None:
        for name in self.names:
            try:
                self.holds.append((name, self.shop.hold(points, name, minutes=60 * 24)))
            except Refused as refused:
                assert refused.code == "insufficient_points"  # noqa: PT017 - a refusal is one of two good outcomes

    def end(self, number: int, paid: bool) -> None:
        if number < len(self.holds):
            name, hold = self.holds.pop(number)
            name = name if name in self.names else self.names[0]
            act = holds.capture if paid else holds.release
            try:
                done = self.shop.ask(lambda command, desk: act(command, desk, hold), name)
            except Refused as refused:
                assert refused.code == "hold_closed"  # noqa: PT017 - its time may have been over before
                return
            if done.redemption:
                self.redemptions.append((name, done.redemption))

    def grant(self, points: int) -> None:
        self.shop.ask(lambda command, desk: adjust(command, desk, points, "why", "who"), self.names[0])

    def merge(self, survivor: int) -> None:
        if len(self.names) == 2:
            loser = self.names.pop(1 - survivor)
            self.shop.merge(self.names[0], loser)
            self.owner = dict.fromkeys(self.owner, self.names[0])
            gone = self.shop.member(loser)
            assert (gone.available, gone.pending, gone.debt) == (0, 0, 0)

    def move(self, number: int) -> None:
        if number in self.orders and len(self.names) == 2:
            self.owner[number] = self.names[1 - self.names.index(self.owner[number])]
            again = replace(self.orders[number], revision=self.orders[number].revision + 1)
            self.orders[number] = again
            self.shop.tell(again, self.owner[number])


@given(STEPS, st.sampled_from(["allow_negative", "clamp", "pending_first"]), st.sampled_from([0, 14]))
def test_the_books_balance_after_every_step_of_any_life(steps: list[Any], policy: str, pending: int) -> None:
    life = Life(policy, pending)
    for what, *how in steps:
        if what == "pass":
            life.shop.passes(days=how[0])
        else:
            getattr(life, what)(*how)
