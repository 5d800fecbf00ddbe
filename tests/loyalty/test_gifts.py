"""Vouchers for bringing a friend and for coming by one: given when points would be, withdrawn while they are unused."""

from typing import Any

import pytest

from services.loyalty import rewards
from services.loyalty.catalogue import Reward
from services.loyalty.referring import FriendReward
from services.loyalty.reward_records import RewardRow, Stock, Voucher
from services.loyalty.vouchers import use
from shared.errors import Refused
from shared.events.ingest import CustomerErased, OrderStatus, ProfileUpdated
from shared.events.loyalty import ReferralQualified, ReferralReversed, RewardClaimed, RewardReturned
from tests.builders import an_event
from tests.loyalty.friends import Circle, with_friends
from tests.loyalty.shop import line, order
from tests.loyalty.test_programme import adopted
from tests.loyalty.test_rewards import offered
from tests.loyalty.till import Till

WELCOME = Reward(name="Ten percent", kind="percent_coupon", value=10, price=500)
BOTH = FriendReward(when="first_order", referrer=50, least=2_000, referrer_reward="rwd_w", friend_reward="rwd_w")


def a_circle(*given: FriendReward, reward: Reward = WELCOME, stock: int | None = None) -> Circle:
    shop = Circle(with_friends(*(given or (BOTH,)), own_codes=True))
    shop.desk.rewards.loaded(("acc_1", "rwd_w"), RewardRow("acc_1", "rwd_w", 1, reward))
    if stock is not None:
        shop.desk.stock.loaded(("acc_1", "rwd_w"), Stock("acc_1", "rwd_w", stock))
    return shop


def vouchers(shop: Circle, name: str) -> list[Voucher]:
    return [one for one in shop.desk.vouchers.values() if one.customer == f"cus_{name}"]


def states(shop: Circle, *names: str) -> list[str]:
    return [one.status for name in names for one in vouchers(shop, name)]


def came(shop: Circle) -> None:
    shop.clicks(shop.code())
    shop.buys(order("1", line(5_000), paid=shop.now))


def test_both_sides_get_a_voucher_and_lose_it_unused_with_the_order_and_get_the_same_one_again() -> None:
    shop = a_circle(stock=5)
    came(shop)
    assert (states(shop, "ana", "bea"), shop.desk.stock["acc_1", "rwd_w"].remaining) == (["issued"] * 2, 3)
    codes = {one.code for one in shop.desk.vouchers.values()}
    shop.buys(order("1", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED))
    assert (states(shop, "ana", "bea"), shop.desk.stock["acc_1", "rwd_w"].remaining) == (["returned"] * 2, 5)
    shop.buys(order("1", line(5_000), revision=3, status=OrderStatus.DISPUTE_WON))
    assert states(shop, "ana", "bea") == ["issued"] * 2
    assert {one.code for one in shop.desk.vouchers.values()} == codes
    assert len(shop.facts(RewardClaimed)) == 4
    assert [fact.points for fact in shop.facts(RewardReturned)] == [0, 0]


def test_a_used_one_stays_used_and_a_given_one_buys_no_points() -> None:
    shop = a_circle()
    came(shop)
    [mine], [hers] = vouchers(shop, "bea"), vouchers(shop, "ana")
    with pytest.raises(Refused) as refused:
        shop.ask(lambda command, desk: rewards.give_back(command, desk, hers.id))
    assert refused.value.code == "not_paid_for"
    shop.ask(lambda _command, desk: use(mine, "sto_1/9", desk), "bea")
    shop.buys(order("1", line(5_000, refunded=4_000), revision=2, status=OrderStatus.PARTLY_REFUNDED))
    assert states(shop, "bea", "ana") == ["used", "returned"]


def test_a_sign_up_is_welcomed_with_a_voucher_once_also_after_a_merge() -> None:
    shop = a_circle(FriendReward(when="signup", friend_reward="rwd_w"))
    shop.clicks(shop.code())
    shop.hears(ProfileUpdated(email="bea@example.com", updated_at=shop.now), "bea")
    assert states(shop, "bea") == ["issued"]
    shop.merge("eva", "bea")
    shop.hears(ProfileUpdated(email="bea@example.com", updated_at=shop.now), "eva")
    assert (states(shop, "eva"), states(shop, "bea")) == (["issued"], [])


@pytest.mark.parametrize(
    ("reward", "stock"),
    [
        (WELCOME, 0),
        (Reward(name="Pool", kind="percent_coupon", value=10, price=1, codes="pool"), 9),
        (Reward(name="Over", kind="percent_coupon", value=10, price=1, active=False), 9),
    ],
)
def test_nothing_is_given_of_what_is_not_to_be_had(reward: Reward, stock: int) -> None:
    shop = a_circle(reward=reward, stock=stock)
    came(shop)
    assert (list(shop.desk.vouchers.values()), shop.member().pending) == ([], 50)


def test_who_is_forgotten_gets_no_voucher() -> None:
    shop = a_circle()
    shop.clicks(shop.code())
    shop.hears(CustomerErased(at=shop.now))
    shop.buys(order("1", line(5_000), paid=shop.now))
    assert states(shop, "ana") == []


async def test_a_voucher_for_a_friend_is_given_and_withdrawn_by_facts(till: Till) -> None:
    reward = await offered(till, stock=5)
    await adopted(till, referrals={"rewards": [{"when": "first_order", "friend_reward": reward}]})
    step: dict[str, Any] = {
        "program": "prg_1",
        "program_version": 2,
        "referral": "ref_1",
        "side": "friend",
        "order": "ord_1",
        "number": 1,
    }
    for fact, status, left in (
        (ReferralQualified(**step, kept=5_000), "issued", 4),
        (ReferralReversed(**step), "returned", 5),
        (ReferralQualified(**step, kept=5_000), "issued", 4),
    ):
        await till.hears(an_event(fact, at=till.world.now))
        [shown] = (await till.asks("/v1/members/cus_ana/vouchers"))["data"]
        [told] = (await till.asks("/v1/rewards"))["data"]
        assert (shown["status"], shown["redemption"], told["remaining"]) == (status, "", left)
    refused = await till.calls(f"/v1/vouchers/{shown['id']}/return")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_paid_for")
    assert await till.books() == []
