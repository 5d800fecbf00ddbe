"""Referrals as judgement: who counts for whom, what both sides get and lose again, what is suspicious."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.referral_records import Known, Party, Touch
from services.loyalty.referrals import attribution, invitations, judgement, prints, review
from services.loyalty.referrals.judgement import Ties
from services.loyalty.referring import WEIGHTS, FriendReward, Milestone, Referrals
from services.loyalty.rules import Cap, FirstOrder
from shared.errors import Refused
from shared.events.ingest import CustomerErased, OrderStatus, ProfileUpdated
from shared.events.loyalty import FriendInvited, PointsEarned, PointsReversed, ReferralRejected
from tests.loyalty.friends import FIRST, Circle, terms, with_friends
from tests.loyalty.shop import DAY, START, STATES, a_life, line, order, programme

NOBODY = Known()


def points(shop: Circle, name: str) -> tuple[int, int]:
    member = shop.member(name)
    return member.pending, member.available


def brought(shop: Circle, *friends: str, net: int = 5_000) -> None:
    """Ana brings friends who buy."""
    for name in friends:
        shop.clicks(shop.code(), name)
        shop.buys(order(name, line(net), paid=shop.now), name)


def test_a_friends_first_order_pays_both_sides_when_the_return_window_ends() -> None:
    shop = Circle()
    shop.clicks(shop.code())
    shop.passes(days=3)
    shop.buys(order("1", line(5_000), paid=shop.now))
    assert (points(shop, "ana"), points(shop, "bea")) == ((500, 0), (300, 0))
    shop.buys(order("2", line(5_000), paid=shop.now))
    shop.passes(days=15)
    assert (points(shop, "ana"), points(shop, "bea")) == ((0, 500), (0, 300))
    told = {(fact.rule, fact.points) for fact in shop.facts(PointsEarned)}
    assert told == {("referral:first_order", 500), ("referral_welcome:first_order", 300)}
    assert {(award.version, award.points) for award in shop.desk.awards.values()} == {(1, 500), (1, 300)}


def test_a_first_order_that_was_given_back_whole_was_the_first_all_the_same() -> None:
    rules = (FirstOrder(award=7),)
    shop = Circle(programme(rules=rules, referrals=terms(FIRST, own_codes=True), pending_days=0))
    brought(shop, "bea")
    shop.buys(order("bea", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED))
    assert (points(shop, "ana"), points(shop, "bea")) == ((0, 0), (0, 0))
    shop.buys(order("again", line(5_000), paid=shop.now))
    assert (points(shop, "ana"), points(shop, "bea")) == ((0, 0), (0, 0))
    assert [step.number for step in shop.referral().body.steps] == [1, 2]


def test_whatever_the_friend_gives_back_takes_both_rewards_back_before_and_after_the_window() -> None:
    for days in (1, 20):
        shop = Circle()
        brought(shop, "bea")
        shop.passes(days=days)
        shop.buys(order("bea", line(5_000, refunded=2_500), revision=2, status=OrderStatus.PARTLY_REFUNDED))
        assert sum(points(shop, "ana")) == 500
        shop.buys(order("bea", line(5_000, refunded=3_001), revision=3, status=OrderStatus.PARTLY_REFUNDED))
        assert (points(shop, "ana"), points(shop, "bea")) == ((0, 0), (0, 0))
        assert {fact.points for fact in shop.facts(PointsReversed)} == {500, 300}
        shop.buys(order("bea", line(5_000), revision=4, status=OrderStatus.DISPUTE_WON))
        assert (sum(points(shop, "ana")), sum(points(shop, "bea"))) == (500, 300)


@pytest.mark.parametrize(("policy", "debt", "after"), [("allow_negative", 500, 0), ("clamp", 0, 0)])
def test_spent_rewards_are_taken_back_by_the_programmes_policy(policy: str, debt: int, after: int) -> None:
    shop = Circle(with_friends(debt=policy))
    brought(shop, "bea")
    shop.passes(days=15)
    shop.redeem(500, "ana")
    shop.buys(order("bea", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED))
    assert (shop.member("ana").available, shop.member("ana").debt) == (-debt, debt)
    shop.buys(order("bea", line(5_000), revision=3, status=OrderStatus.DISPUTE_WON))
    assert (shop.member("ana").available, shop.member("ana").debt) == (after, 0)


def test_what_is_below_the_least_amount_brings_nothing() -> None:
    shop = Circle()
    brought(shop, "bea", net=1_999)
    assert (points(shop, "ana"), points(shop, "bea")) == ((0, 0), (0, 0))


def test_every_order_and_the_sign_up_can_be_paid_for_and_capped() -> None:
    every = FriendReward(when="every_order", referrer=100, friend=10, cap=Cap(times=2))
    shop = Circle(with_friends(FriendReward(when="signup", referrer=5, friend=7), every))
    shop.clicks(shop.code())
    assert points(shop, "ana") == (0, 0)
    shop.hears(ProfileUpdated(email="bea@example.com", updated_at=START), "bea")
    shop.hears(ProfileUpdated(email="bea@example.com", first_name="Bea", updated_at=START), "bea")
    assert (points(shop, "ana"), points(shop, "bea")) == ((5, 0), (7, 0))
    for number in range(3):
        shop.buys(order(str(number), line(1_000), paid=shop.now))
    assert (points(shop, "ana"), points(shop, "bea")) == ((205, 0), (37, 0))


def test_milestones_are_paid_once_reached_and_taken_back_when_no_longer_reached() -> None:
    goals = (Milestone(friends=2, points=1_000), Milestone(friends=3, points=5_000))
    shop = Circle(with_friends(milestones=goals, velocity_friends=9))
    brought(shop, "bea", "cleo")
    assert points(shop, "ana") == (2_000, 0)
    shop.buys(order("bea", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED), "bea")
    assert points(shop, "ana") == (500, 0)
    brought(shop, "dora")
    assert points(shop, "ana") == (2_000, 0)
    assert shop.desk.party("acc_1", "cus_ana").friends == 2


def test_the_window_the_first_or_last_touch_and_a_typed_code_before_all_of_them() -> None:
    touches = [Touch(START, "A"), Touch(START + DAY, "B"), Touch(START + DAY, "C")]
    typed = Touch(START, "Z", typed=True)
    at = START + 2 * DAY
    assert attribution.chosen(touches, at, terms()) == touches[1]
    assert attribution.chosen(touches[::-1], at, terms(touch="first")) == touches[0]
    assert attribution.chosen([*touches, typed], at, terms()) == typed
    assert attribution.chosen(touches, START + 32 * DAY, terms()) is None
    assert attribution.chosen(touches, START, terms(window_days=1)) == touches[0]


def test_a_code_at_checkout_beats_the_link_and_even_replaces_a_sign_up_by_link() -> None:
    signup = FriendReward(when="signup", referrer=50)
    for rewards in ((FIRST,), (signup, FIRST)):
        shop = Circle(with_friends(*rewards))
        other = shop.code("otto")
        shop.clicks(shop.code())
        shop.hears(ProfileUpdated(email="bea@example.com", updated_at=START), "bea")
        assert points(shop, "ana") == ((50, 0) if signup in rewards else (0, 0))
        shop.buys(order("1", line(5_000), paid=shop.now, coupons=(other.lower(),)))
        assert (points(shop, "ana"), points(shop, "otto")) == ((0, 0), (500, 0))
        assert shop.referral(nth=-1).body.how == "code"


def test_existing_customers_are_never_referred_and_nobody_refers_herself() -> None:
    shop = Circle()
    shop.buys(order("0", line(5_000)))
    shop.passes(days=1)
    shop.clicks(shop.code())
    shop.buys(order("1", line(5_000), paid=shop.now))
    assert not shop.desk.referrals_of("acc_1", "cus_bea")
    shop.buys(order("2", line(5_000), paid=shop.now, coupons=(shop.code(),)))
    assert (shop.referral().status, shop.referral().body.reasons) == ("rejected", ("existing_customer",))
    shop.buys(order("3", line(5_000), paid=shop.now, coupons=(shop.code("dora"),)), "dora")
    assert shop.referral("dora").body.reasons == ("same_customer",)
    for name in ("bea", "dora"):
        with pytest.raises(Refused, match="cannot be brought"):
            shop.decides(review.approve, name)
    assert points(shop, "ana") == points(shop, "dora") == (0, 0)


def test_a_plus_address_a_shared_print_and_a_cycle_are_seen() -> None:
    shop = Circle()
    shop.hears(ProfileUpdated(email="ana.lopez@gmail.com", phone="+34600", updated_at=START), "ana")
    shop.hears(ProfileUpdated(email="AnaLopez+2@googlemail.com", updated_at=START), "bea")
    brought(shop, "bea")
    assert (shop.referral().status, shop.referral().body.reasons) == ("rejected", ("same_email",))
    shop.hears(ProfileUpdated(email="analopez99@example.com", phone="+34 600", updated_at=START), "cleo")
    brought(shop, "cleo")
    assert shop.referral("cleo").body.reasons == ("similar_email", "same_phone")
    shop.clicks(shop.code(), "ana", device="d1")
    shop.clicks(shop.code(), "dora", device="d1")
    brought(shop, "dora")
    assert (shop.referral("dora").status, shop.referral("dora").body.score) == ("held", 60)
    brought(shop, "eva")
    shop.clicks(shop.code("eva"), "ana")
    shop.buys(order("back", line(9_000), paid=shop.now), "ana")
    assert (shop.referral("ana").status, shop.referral("ana").body.reasons) == ("rejected", ("cycle",))
    assert points(shop, "ana") == (500, 0)


def test_too_many_friends_at_once_wait_for_the_shop() -> None:
    shop = Circle(with_friends(velocity_friends=2))
    brought(shop, "bea", "cleo", "dora")
    assert [shop.referral(name).status for name in ("bea", "cleo", "dora")] == ["approved", "approved", "held"]
    assert points(shop, "ana") == (1_000, 0)
    shop.decides(review.approve, "dora")
    assert (points(shop, "ana"), points(shop, "dora")) == ((1_500, 0), (300, 0))
    shop.decides(review.decline, "bea")
    assert (points(shop, "ana"), points(shop, "bea")) == ((1_000, 0), (0, 0))
    assert shop.facts(ReferralRejected)[-1].referral == shop.referral("bea").id
    shop.passes(days=2)
    brought(shop, "eva")
    assert shop.referral("eva").status == "approved"


def test_a_claim_by_code_counts_at_once_and_is_judged_by_what_the_store_has_seen() -> None:
    shop = Circle(with_friends(FriendReward(when="signup", referrer=5, friend=7), FIRST))
    shop.ask(lambda command, desk: review.note_prints(command, desk, {"card": "4242"}), "ana")
    assert shop.claims("nobodys") is None
    assert shop.claims(shop.code(), seen={"card": " 4242 ", "address": "Calle 1"}) is not None
    assert (shop.referral().status, shop.referral().body.reasons) == ("rejected", ("same_card",))
    held = shop.claims(shop.code(), "cleo", {"address": "Calle 2"})
    assert held is not None
    assert held.status == "approved"
    assert shop.claims(shop.code("otto"), "cleo") is None
    assert shop.claims(shop.code(), "cleo") == shop.referral("cleo")
    assert (points(shop, "ana"), points(shop, "cleo")) == ((5, 0), (7, 0))


def test_a_merge_of_friend_and_referrer_takes_all_back_and_of_two_friends_one_counts() -> None:
    shop = Circle()
    brought(shop, "bea", "cleo")
    shop.merge("cleo", "bea")
    assert [one.status for one in shop.desk.referrals_of("acc_1", "cus_cleo")].count("approved") == 1
    assert points(shop, "ana") == (500, 0)
    shop.merge("ana", "cleo")
    assert sum(one.status == "approved" for one in shop.desk.referrals.values()) == 0
    assert sum(points(shop, "ana")) == 0


def test_when_the_referrer_is_merged_away_refunds_find_the_survivor() -> None:
    shop = Circle(with_friends(milestones=(Milestone(friends=1, points=50),)))
    brought(shop, "bea")
    shop.merge("otto", "ana")
    assert (points(shop, "otto"), points(shop, "ana")) == ((550, 0), (0, 0))
    shop.buys(order("bea", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED))
    assert points(shop, "otto") == (0, 0)
    code = shop.code("otto")
    assert shop.desk.referral_codes["acc_1", code].customer == "cus_otto"


def test_an_order_that_turns_out_to_be_somebody_elses_counts_for_whoever_brought_that_one() -> None:
    shop = Circle()
    brought(shop, "bea")
    shop.clicks(shop.code("otto"), "cleo")
    shop.buys(order("bea", line(5_000), revision=2), "cleo")
    assert (points(shop, "ana"), points(shop, "bea")) == ((0, 0), (0, 0))
    assert (points(shop, "otto"), points(shop, "cleo")) == ((500, 0), (300, 0))


def test_who_was_a_customer_by_another_name_was_not_brought() -> None:
    shop = Circle()
    shop.buys(order("old", line(5_000)), "beatrice")
    shop.passes(days=1)
    brought(shop, "bea")
    shop.merge("beatrice", "bea")
    assert (shop.referral("beatrice").status, points(shop, "ana")) == ("rejected", (0, 0))


def test_erasure_takes_prints_touches_and_codes_and_leaves_the_others_points() -> None:
    shop = Circle()
    brought(shop, "bea")
    shop.hears(CustomerErased(at=shop.now), "bea")
    assert ("acc_1", "cus_bea") not in shop.desk.parties
    assert points(shop, "ana") == (500, 0)
    code = shop.code()
    shop.hears(CustomerErased(at=shop.now), "ana")
    shop.clicks(code, "cleo")
    shop.buys(order("cleo", line(5_000), paid=shop.now), "cleo")
    assert not shop.desk.referrals_of("acc_1", "cus_cleo")
    assert points(shop, "cleo") == (0, 0)


def test_an_address_is_invited_once_whoever_asks_and_however_it_is_spelt() -> None:
    shop = Circle(with_friends(invitations_per_day=3))

    def invite(email: str, by: str) -> None:
        asked = FriendInvited(email=email, giver="Ana")
        shop.ask(lambda command, desk: invitations.invite(command, desk, asked, "sto_1"), by)

    shop.hears(ProfileUpdated(email="ana@example.com", updated_at=START), "ana")
    invite("bea@example.com", "ana")
    invite("Bea+news@Example.com", "otto")
    invite("ANA@example.com", "ana")
    invite("cleo@example.com", "ana")
    assert [fact.email for fact in shop.facts(FriendInvited)] == ["bea@example.com", "cleo@example.com"]
    with pytest.raises(Refused, match="3 a day"):
        invite("dora@example.com", "ana")
    shop.passes(days=1)
    invite("dora@example.com", "ana")
    assert len({event.customer for event in shop.desk.facts.rows if isinstance(event.fact, FriendInvited)}) == 3


PARTS = st.lists(st.integers(1, 6_000), min_size=1, max_size=5)


@given(PARTS, st.integers(0, 500), st.sampled_from(["allow_negative", "clamp", "pending_first"]), st.integers(0, 1))
def test_a_refund_in_parts_takes_from_both_sides_what_one_refund_takes(
    parts: list[int], spent: int, policy: str, days: int
) -> None:
    def run(steps: list[int]) -> list[Any]:
        shop = Circle(with_friends(debt=policy, milestones=(Milestone(friends=1, points=70),)))
        brought(shop, "bea", net=10_000)
        shop.passes(days=20 * days)
        if spent and days:
            shop.redeem(spent, "ana")
        for revision, step in enumerate(steps, 2):
            shop.buys(order("bea", line(10_000, refunded=min(step, 10_000)), revision=revision))
        return [(points(shop, name), shop.member(name).debt, shop.member(name).earned) for name in ("ana", "bea")]

    sums = [sum(parts[:n]) for n in range(1, len(parts) + 1)]
    assert run(sums) == run(sums[-1:])


@given(st.permutations(["bea", "cleo", "dora"]), st.lists(st.sampled_from(["bea", "cleo", "dora"]), max_size=3))
def test_in_whatever_order_friends_buy_and_give_back_the_same_is_paid(bought: list[str], back: list[str]) -> None:
    shop = Circle(with_friends(velocity_friends=9, milestones=(Milestone(friends=2, points=70),)))
    brought(shop, *bought)
    for name in back:
        shop.buys(order(name, line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED), name)
    kept = 3 - len(set(back))
    assert points(shop, "ana") == (500 * kept + 70 * (kept >= 2), 0)
    assert sum(points(shop, name)[0] for name in bought) == 300 * kept


@given(st.lists(STATES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_an_orders_revisions_in_any_order_and_number_pay_both_sides_the_same(states: list[Any], chance: Any) -> None:
    life = a_life("1", states)
    again = life + chance.sample(life, chance.randint(0, len(life)))
    chance.shuffle(again)
    ends = []
    for told in (life, again):
        shop = Circle(with_friends(milestones=(Milestone(friends=1, points=70),)))
        shop.clicks(shop.code())
        for revision in told:
            shop.buys(revision)
        ends.append([(sum(points(shop, name)), shop.member(name).debt) for name in ("ana", "bea")])
    assert ends[0] == ends[1]


WORDS = st.lists(st.sampled_from(["email", "mailbox", "phone", "device", "address", "card", "ip"]), unique=True)


@given(WORDS, WORDS, st.integers(0, 9), st.booleans())
def test_the_score_is_the_sum_of_its_reasons_and_more_in_common_never_looks_better(
    common: list[str], more: list[str], recent: int, existing: bool
) -> None:
    def verdict(kinds: set[str]) -> judgement.Verdict:
        known = Known(prints=tuple((kind, "x") for kind in sorted(kinds)))
        ana, bea = Party("a", "ana", known=known), Party("a", "bea", known=known)
        return judgement.judged(bea, ana, Ties(recent=recent, existing=existing), found)

    found = terms()
    less, all_of_it = verdict({*common}), verdict({*common, *more})
    weighed = sum(weight for reason, weight in WEIGHTS.items() if reason in less.reasons)
    assert less.score == (max(weighed, found.reject_at) if existing else weighed)
    if "email" not in more:
        assert all_of_it.score >= less.score
    rank = {"approved": 0, "held": 1, "rejected": 2}
    assert rank[all_of_it.status] >= rank[less.status]


def test_addresses_are_compared_by_the_mailbox_they_reach() -> None:
    assert prints.mailbox(" Ana.Lopez+shop@Gmail.com ") == ("analopez", "gmail.com")
    assert prints.mailbox("a.b+c@example.com") == ("a.b", "example.com")
    assert prints.of_email("acc_1", "no address") == []
    assert prints.of_email("acc_1", "ana@example.com") != prints.of_email("acc_2", "ana@example.com")
    assert len(prints.of_email("acc_1", "ana@example.com")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"rewards": (FIRST, FIRST)},
        {"rewards": (), "link": "https://shop.example"},
        {"rewards": (), "review_at": 101},
        {"rewards": (), "milestones": (Milestone(friends=2, points=1), Milestone(friends=2, points=2))},
    ],
)
def test_what_a_programme_cannot_mean_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"once|code|review_at"):
        Referrals(**wrong)


def test_of_many_touches_the_first_and_the_latest_are_kept() -> None:
    known = NOBODY
    for number in range(30):
        known = attribution.touched(known, Touch(START + timedelta(hours=number), f"C{number}"))
    assert (len(known.touches), known.touches[0].code, known.touches[-1].code) == (20, "C0", "C29")
