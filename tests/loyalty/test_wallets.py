"""Several kinds of points for a member: each wallet is a book of its own, with its own terms."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from services.loyalty.expiry import Expiry
from services.loyalty.programmes import Programme, Transfer, Wallet, decode, encode
from services.loyalty.records import Note
from services.loyalty.redemptions import Basket, redeem
from services.loyalty.rules import FirstOrder
from services.loyalty.rules.activity import Activity
from services.loyalty.rules.spend import Spend
from services.loyalty.transfers import transfer
from shared.errors import Refused
from shared.events.ingest import (
    ActivityReported,
    CustomerErased,
    CustomerMerged,
    CustomerSplit,
    OrderRefunded,
    OrderUpdated,
)
from shared.events.loyalty import OrderRated, PointsEarned, PointsExpiring
from tests.builders import an_event
from tests.loyalty.shop import LADDER, Shop, line, order, programme
from tests.loyalty.test_programme import adopted
from tests.loyalty.test_reports import imported
from tests.loyalty.till import NOON, Till, bought

STAMPS = Wallet(name="stamps", pending_days=3, expiry_months=1, texts={"es": "Sellos"})
BOTH = (Spend(), Spend(name="stamp", per=1_000, wallet="stamps"))
TAUGHT: dict[str, Any] = {
    "rules": [{"rule": "spend"}, {"rule": "spend", "name": "stamp", "per": 1_000, "wallet": "stamps"}],
    "wallets": [{"name": "stamps", "texts": {"es": "Sellos"}, "expiry_months": 6}],
    "pending_days": 0,
}


def shop_with(**terms: Any) -> Shop:
    return Shop(programme(**{"pending_days": 0, "wallets": (STAMPS,), "rules": BOTH, **terms}))


def in_stamps(shop: Shop) -> tuple[int, int, int]:
    held = shop.holder("ana", "stamps")
    return held.available, held.pending, held.debt


def test_an_order_earns_into_each_wallet_by_its_own_rules_and_terms() -> None:
    shop = shop_with(ladder=LADDER)
    shop.tell(order("1", line(10_500)))
    assert (shop.member().available, in_stamps(shop)) == (105, (0, 10, 0))
    assert [(fact.wallet, fact.points, fact.order) for fact in shop.facts(OrderRated)] == [
        ("points", 105, "ord_1"),
        ("stamps", 10, "ord_1"),
    ]
    shop.passes(3)
    assert in_stamps(shop) == (10, 0, 0)
    assert (shop.member().tier, shop.member().moves[0].points) == ("mid", 105)
    shop.tell(order("2", line(10_000), paid=shop.now))
    assert (shop.member().available, in_stamps(shop)) == (105 + 150, (10, 10, 0))
    shop.passes(29)
    assert (shop.member().available, in_stamps(shop)) == (255, (10, 0, 0))
    assert [(fact.wallet, fact.points) for fact in shop.facts(PointsExpiring)] == [("stamps", 10), ("stamps", 10)]


def test_the_tier_multiplies_only_wallets_that_say_so() -> None:
    shop = shop_with(ladder=LADDER, wallets=(replace(STAMPS, tiered=True),))
    shop.tell(order("1", line(10_000)))
    shop.tell(order("2", line(10_000)))
    assert in_stamps(shop) == (0, 10 + 15, 0)


def test_a_refund_takes_back_from_the_wallet_that_earned_and_from_no_other() -> None:
    shop = shop_with(
        rules=(
            Spend(),
            Spend(name="stamp", per=1_000, wallet="stamps", lines=BOTH[1].lines.__class__(products=frozenset({"tea"}))),
        )
    )
    first = order("1", line(5_000, name="a"), line(4_000, name="b", product="tea"))
    shop.tell(first)
    shop.passes(3)
    shop.redeem(3, wallet="stamps")
    assert (shop.member().available, in_stamps(shop)) == (90, (1, 0, 0))
    shop.tell(replace(first, revision=2, lines=(line(5_000, name="a", refunded=5_000), first.lines[1])))
    assert (shop.member().available, in_stamps(shop)) == (40, (1, 0, 0))
    shop.tell(
        replace(
            first, revision=3, lines=(line(5_000, name="a", refunded=5_000), replace(first.lines[1], refunded=4_000))
        )
    )
    assert (shop.member().available, in_stamps(shop)) == (0, (-3, 0, 3))
    shop.tell(order("2", line(4_000, product="tea"), paid=shop.now))
    shop.passes(3)
    assert in_stamps(shop) == (1, 0, 0)


def test_each_wallet_spends_what_it_has() -> None:
    shop = shop_with()
    shop.grant(50)
    shop.grant(7, wallet="stamps")
    with pytest.raises(Refused) as refused:
        shop.redeem(8, wallet="stamps")
    assert refused.value.code == "insufficient_points"
    with pytest.raises(Refused) as refused:
        shop.redeem(8, wallet="coins")
    assert refused.value.code == "unknown_wallet"
    with pytest.raises(Refused) as refused:
        shop.ask(lambda command, desk: redeem(command, desk, 5, Basket("", 1_000, "EUR"), wallet="stamps"))
    assert refused.value.code == "no_part_payment"
    hold = shop.hold(5, wallet="stamps", minutes=10)
    shop.redeem(50)
    assert (shop.member().available, in_stamps(shop)) == (0, (2, 0, 0))
    shop.passes(1)
    assert (hold in {key for _, key in shop.desk.holds.changed}, in_stamps(shop)) == (True, (7, 0, 0))


def test_only_what_the_wallet_allows_is_passed_on() -> None:
    shop = shop_with(transfer=Transfer())
    shop.member("bea")
    shop.grant(9, wallet="stamps")

    def give(wallet: str) -> Any:
        return shop.ask(lambda command, desk: transfer(command, desk, 4, Note("", ""), wallet=wallet), other="bea")

    with pytest.raises(Refused) as refused:
        give("stamps")
    assert refused.value.code == "no_transfers"
    shop.adopt(wallets=(replace(STAMPS, transfer=Transfer()),))
    assert (give("stamps").balance, shop.holder("bea", "stamps").available, shop.member("bea").available) == (5, 4, 0)


def test_other_things_than_orders_earn_into_a_wallet_too() -> None:
    quiz = Activity(event="quiz", points=4, wallet="stamps")
    shop = shop_with(rules=(*BOTH, quiz), ladder=LADDER)
    shop.hears(ActivityReported(name="quiz", reference="q1"))
    shop.hears(ActivityReported(name="quiz", reference="q1"))
    assert (shop.member().available, in_stamps(shop), shop.member().moves) == (0, (4, 0, 0), ())
    assert [(fact.wallet, fact.points) for fact in shop.facts(PointsEarned)] == [("stamps", 4)]


def test_activity_keeps_alive_the_points_of_the_wallets_that_go_by_it() -> None:
    sliding = replace(STAMPS, expiry=Expiry(mode="inactivity", months=2), pending_days=0)
    shop = shop_with(wallets=(sliding,), expiry_months=1)
    shop.grant(10)
    shop.grant(5, wallet="stamps")
    shop.passes(50)
    shop.tell(order("1", line(100), paid=shop.now))
    shop.passes(50)
    assert (shop.member().available, in_stamps(shop)) == (0, (5, 0, 0))
    shop.passes(15)
    assert in_stamps(shop) == (0, 0, 0)


def test_two_who_are_one_have_one_of_each_wallet_and_one_first_order() -> None:
    shop = shop_with(rules=(*BOTH, FirstOrder(award=6, wallet="stamps")))
    shop.tell(order("1", line(2_000)), "ana")
    shop.tell(order("2", line(3_000), paid=shop.now + timedelta(hours=1)), "bea")
    shop.passes(4)
    assert [shop.holder(name, "stamps").available for name in ("ana", "bea")] == [8, 9]
    shop.merge("ana", "bea")
    assert (in_stamps(shop), shop.holder("bea", "stamps").available) == ((8 + 3, 0, 0), 0)
    shop.passes(40)
    assert in_stamps(shop) == (0, 0, 0)


@pytest.mark.parametrize(
    "terms",
    [
        {"rules": (Spend(wallet="coins"),)},
        {"wallets": (Wallet(name="points"),)},
        {"wallets": (STAMPS, STAMPS)},
    ],
)
def test_wallets_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wallet"):
        programme(**terms)
    with pytest.raises(msgspec.ValidationError):
        decode(encode(msgspec.structs.replace(programme())).replace(b'"wallets":[]', b'"wallets":[{"name":"A/b"}]'))


def test_a_programme_without_wallets_is_its_own_view() -> None:
    plain = programme()
    assert plain.of("points") is plain
    both: Programme = programme(wallets=(STAMPS,), rules=BOTH)
    assert ([rule.name for rule in both.of("points").rules], both.of("stamps").rules[0].name) == (["spend"], "stamp")
    assert both.of("stamps") is both.of("stamps")


async def test_a_wallet_over_http_from_order_to_reward(till: Till) -> None:
    await adopted(till, **TAUGHT)
    await till.hears(bought(20_000, at=till.world.now))
    member = await till.member()
    assert (member["available"], member["wallets"][0]["available"]) == (200, 20)
    answer = await till.calls(
        "/v1/rewards", {"name": "Mug", "kind": "free_product", "product": "mug", "wallets": {"stamps": 15}}
    )
    assert answer.status_code == 201, answer.text
    claims = f"/v1/rewards/{answer.json()['id']}/claims"
    refused = await till.calls(claims, {"customer": "cus_ana", "wallet": "points"})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_such_price")
    page = await till.asks("/v1/members/me/page", by=till.token("cus_ana"), language="es")
    assert [(one["title"], one["available"]) for one in page["wallets"]] == [("Sellos", 20)]
    assert [(one["wallet"], one["price"], one["missing"]) for one in page["rewards"]] == [("stamps", 15, 0)]
    assert {(one["wallet"], one["points"]) for one in page["history"]} == {("points", 200), ("stamps", 20)}
    claimed = (await till.calls(claims, {"customer": "cus_ana"})).json()
    assert (claimed["wallet"], claimed["points"], claimed["balance"]) == ("stamps", 15, 5)
    traced = await till.asks(f"/v1/redemptions/{claimed['redemption']}", by=till.token("cus_ana"))
    assert (traced["wallet"], traced["customer"], traced["origins"][0]["source"]) == ("stamps", "cus_ana", "ord_1")
    assert traced["origins"][0]["rules"] == [{"rule": "stamp", "points": 20}]
    back = (await till.calls(f"/v1/vouchers/{claimed['code']}/return")).json()
    assert (back["wallet"], back["balance"]) == ("stamps", 20)
    told = await till.asks("/v1/ratings/ord_1")
    assert [(one["wallet"], one["points"]) for one in (told, *told["wallets"])] == [("points", 200), ("stamps", 20)]
    basket = {"lines": [{"net": 3_000}], "currency": "EUR", "customer": "cus_ana"}
    dry = (await till.calls("/v1/evaluations", basket)).json()
    assert (dry["points"], dry["wallets"][0]["points"]) == (30, 3)
    assert await till.books() == []


async def test_each_wallet_has_its_own_book_at_every_past_moment(till: Till) -> None:
    await adopted(till, **TAUGHT)
    await till.hears(bought(20_000, at=till.world.now))
    before = till.world.now
    await till.world.passes(hours=1)
    spent = (await till.calls("/v1/redemptions", {"customer": "cus_ana", "points": 6, "wallet": "stamps"})).json()
    assert (spent["wallet"], spent["customer"], spent["balance"]) == ("stamps", "cus_ana", 14)
    path, then = "/v1/members/cus_ana/balance", before.isoformat()
    balances = [
        await till.asks(path, wallet=wallet, at=at)
        for wallet in ("points", "stamps")
        for at in (then, till.world.now.isoformat())
    ]
    assert [(one["wallet"], one["sides"]["available"], one["sum"]) for one in balances] == [
        ("points", 200, 0),
        ("points", 200, 0),
        ("stamps", 20, 0),
        ("stamps", 14, 0),
    ]
    owed = [await till.asks("/v1/reports/liability", wallet=wallet) for wallet in ("points", "stamps")]
    assert [(one["outstanding"], one["issued"], one["redeemed"], one["reconciles"]) for one in owed] == [
        (201, 201, 0, True),
        (14, 20, 6, True),
    ]
    assert sum(bucket["points"] for bucket in owed[1]["by_age"]) == 14
    lots = await till.asks("/v1/members/cus_ana/lots", wallet="stamps")
    assert [lot["remaining"] for lot in lots["data"]] == [14]
    rows = await till.asks("/v1/members/cus_ana/transactions", wallet="stamps")
    assert {row["wallet"] for row in rows["data"]} == {"stamps"}
    back = await till.calls(f"/v1/redemptions/{spent['id']}/reverse")
    assert back.json()["balance"] == 20
    await till.asks("/v1/reports/liability", wallet="coins", status=404)


async def test_wallets_are_merged_moved_and_refunded_with_their_customers(till: Till) -> None:
    await adopted(till, **TAUGHT)
    now = till.world.now
    await till.hears(bought(10_000, name="a", at=now), bought(20_000, name="b", customer="cus_bea", at=now))
    held = (await till.calls("/v1/holds", {"customer": "cus_bea", "points": 4, "wallet": "stamps"})).json()
    await till.hears(an_event(CustomerMerged(loser="cus_bea"), at=now))
    member = await till.member()
    assert (member["available"], member["wallets"][0]["available"], member["wallets"][0]["held"]) == (300, 26, 4)
    released = (await till.calls(f"/v1/holds/{held['id']}/release")).json()
    assert (released["customer"], released["wallet"], released["balance"]) == ("cus_ana", "stamps", 30)
    refund = bought(20_000, name="b", revision=2, refunded=20_000, customer="cus_bea", kind=OrderRefunded, at=now)
    await till.hears(refund)
    assert (await till.member())["wallets"][0]["available"] == 10
    split = an_event(CustomerSplit(to="cus_new", orders=("ord_a",)), at=now)
    await till.hears(split, bought(10_000, name="a", revision=2, customer="cus_new", kind=OrderUpdated, at=now))
    assert [(await till.member(name))["wallets"][0]["available"] for name in ("cus_ana", "cus_new")] == [0, 10]
    assert await till.books() == []


async def test_balances_of_a_wallet_are_imported_and_a_forgotten_members_words_go(corner_till: Till) -> None:
    till = corner_till
    await adopted(till, **TAUGHT)
    text = "customer,points,reference,expires_at,wallet\ncus_ana,30,old-1,2026-03-20,stamps\ncus_ana,5,old-2,,\n"
    assert [(await imported(till, text)).json()["imported"] for _ in range(2)] == [2, 0]
    body = {"customer": "cus_ana", "points": 2, "wallet": "stamps", "reason": "phoned, upset", "actor": "Eva"}
    assert (await till.calls("/v1/transactions", body)).json()["wallet"] == "stamps"
    assert (await till.calls("/v1/transactions", {**body, "qualifies": True})).json()["code"] == "never_qualifies"
    member = await till.member()
    assert (member["available"], member["wallets"][0]["available"]) == (5, 32)
    await till.hears(an_event(CustomerErased(at=NOON), at=NOON))
    rows = (await till.asks("/v1/members/cus_ana/transactions", wallet="stamps"))["data"]
    assert {row["reason"] for row in rows} == {""}
    await till.world.passes(days=20)
    assert (await till.member())["wallets"][0]["available"] == 2
    assert await till.books() == []


async def test_a_wallet_once_there_stays_and_is_no_member(corner_till: Till) -> None:
    till = corner_till
    await adopted(till, **TAUGHT)
    await till.hears(bought(20_000, at=till.world.now))
    [found] = (await till.asks("/v1/programs"))["data"]
    draft = {name: value for name, value in found.items() if name not in {"id", "version"}}
    told = (await till.calls("/v1/programs/prg_1/impact", draft)).json()
    assert told["members"] == 2
    gone = await till.calls("/v1/programs/prg_1", {**draft, "wallets": [], "rules": [{"rule": "spend"}]}, verb="PUT")
    assert (gone.status_code, gone.json()["code"]) == (422, "wallet_missing")
    assert (await till.calls("/v1/programs/prg_1", {**draft, "notice_days": 3}, verb="PUT")).status_code == 200
    await till.world.settle()
    assert (await till.member())["wallets"][0]["available"] == 20
