"""The programme as data: one file, compared, tried on past orders; what a basket would earn; why an order earned."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from services.loyalty import drafts, files, words
from services.loyalty.catalogue import Reward
from services.loyalty.earning import Shop as Counter
from services.loyalty.programmes import Programme
from services.loyalty.rules import RULES, Cap, DateRule, FactRule, OrderRule
from services.loyalty.rules.activity import Review
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.multiplier import Multiplier
from services.loyalty.rules.spend import Spend
from services.loyalty.rules.window import Window
from services.loyalty.tiers import Ladder, Tier
from services.loyalty.trial import Past, trial
from shared.errors import Invalid
from shared.events.ingest import ActivityReported, ProfileUpdated
from shared.events.loyalty import PointsEarned
from shared.events.scoring import SegmentEntered
from tests.builders import an_event
from tests.loyalty.shop import START, line, order, programme
from tests.loyalty.till import NOON, Till, bought

RICH = programme(
    rules=(
        Spend(),
        Multiplier(percent=200, segments=frozenset({"vip"}), window=Window(weekdays=frozenset({"mon", "sat"}))),
        FirstOrder(award=50),
        Review(points=20, cap=Cap(times=1, per="week")),
    ),
    stores=frozenset({"sto_2", "sto_1"}),
)


def test_a_programme_written_to_a_file_and_read_back_is_the_same() -> None:
    text = files.write(RICH)
    assert "rule: multiplier" in text
    read = files.read(text).programme
    assert msgspec.structs.replace(read, id=RICH.id) == RICH
    assert files.write(RICH) == files.write(msgspec.structs.replace(read, id=RICH.id))


def test_differences_name_rules_and_tiers_and_not_their_places() -> None:
    tiers = (Tier(name="bronze"), Tier(name="silver", threshold=400, percent=125))
    rules = (Review(points=25), Spend(), FirstOrder(award=50))
    after = msgspec.structs.replace(RICH, rules=rules, ladder=Ladder(tiers=tiers))
    paths = {change.path: (change.before, change.after) for change in files.differences(RICH, after)}
    assert paths["/rules/review/points"] == (20, 25)
    assert paths["/ladder/tiers/silver/threshold"] == (500, 400)
    assert paths["/rules/multiplier/percent"] == (200, None)
    assert "/rules/spend/award" not in paths
    assert files.differences(RICH, RICH) == []


@pytest.mark.parametrize("text", ["[1, 2]", "rules: [", "zone: Mars\nname: x", ""])
def test_a_faulty_file_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        files.read(text)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules are called 'spend'"):
        programme(rules=(Spend(), Spend()))


def past(name: str, net: int, day: int, customer: str, booked: int, *segments: str) -> Past:
    paid = START + timedelta(days=day)
    return Past(order(name, line(net), paid=paid), customer, Counter("sto_1", "Europe/Madrid"), segments, booked)


def test_a_draft_is_tried_on_past_orders_by_segment() -> None:
    orders = [
        past("1", 10_000, 0, "ana", 100, "vip"),
        past("2", 10_000, 1, "ana", 100, "vip"),
        past("3", 5_000, 1, "eva", 50),
    ]
    draft = programme(rules=(Spend(award=2), FirstOrder(award=30)))
    found = {cost.segment: cost for cost in trial(orders, draft)}
    assert (found["vip"].orders, found["vip"].booked, found["vip"].points) == (2, 200, 430)
    assert (found["none"].orders, found["none"].booked, found["none"].points) == (1, 50, 130)
    assert found["vip"].by_rule == {"first_order": 30, "spend": 400}


def test_tiers_and_caps_build_up_along_the_past_orders() -> None:
    ladder = Ladder(tiers=(Tier(name="low"), Tier(name="mid", threshold=100, percent=200)))
    orders = [past(str(day), 10_000, day, "ana", 0) for day in range(3)]
    assert [cost.points for cost in trial(orders, programme(ladder=ladder))] == [100 + 200 + 200]
    assert [cost.points for cost in trial(orders, programme(cap=Cap(points=150)))] == [150]


def made_of(programme: Programme, **more: Any) -> dict[str, Any]:
    """A draft as sent to the API."""
    plain = msgspec.to_builtins(programme)
    return {name: value for name, value in plain.items() if name not in {"id", "version"}} | more


async def adopted(till: Till, **terms: Any) -> None:
    """The till's programme, changed and in force."""
    await till.gives(1, "cus_first")
    [found] = (await till.asks("/v1/programs"))["data"]
    draft = {name: value for name, value in found.items() if name not in {"id", "version"}}
    answer = await till.calls("/v1/programs/prg_1", {**draft, **terms}, verb="PUT")
    assert answer.status_code == 200, answer.text


TAUGHT = [
    {"rule": "spend"},
    {"rule": "multiplier", "percent": 300, "segments": ["vip"]},
    {"rule": "first_order", "award": 50},
    {"rule": "review", "points": 20},
    {"rule": "newsletter", "points": 5, "name": "letter"},
]


async def test_an_order_is_explained_rule_by_rule(till: Till) -> None:
    await adopted(till, rules=TAUGHT, pending_days=0)
    await till.hears(an_event(SegmentEntered(segment="vip"), at=NOON))
    await till.hears(bought(2_050, at=till.world.now))
    told = await till.asks("/v1/ratings/ord_1")
    assert (told["points"], told["version"], told["segments"], told["why"]) == (20 + 40 + 50, 2, ["vip"], "")
    assert [(rule["rule"], rule["points"], rule["why"]) for rule in told["rules"]] == [
        ("spend", 20, ""),
        ("multiplier", 40, ""),
        ("first_order", 50, ""),
    ]
    await till.hears(bought(50, name="2", customer="cus_bea", at=till.world.now))
    other = await till.asks("/v1/ratings/ord_2")
    assert [(rule["rule"], rule["why"]) for rule in other["rules"]] == [
        ("spend", "below_one_step"),
        ("multiplier", "other_segment"),
        ("first_order", ""),
    ]
    assert (await till.asks("/v1/ratings/ord_2", by=till.token("cus_bea")))["points"] == 50
    assert (await till.asks("/v1/ratings/ord_2", by=till.token("cus_ana"), status=404))["code"] == "not_found"
    await till.hears(bought(2_000, name="3", at=till.world.now, test=True))
    assert (await till.asks("/v1/ratings/ord_3"))["why"] == "test_order"


async def test_a_review_told_by_the_store_is_paid_once_whoever_tells_it_again(till: Till) -> None:
    await adopted(till, rules=TAUGHT)
    told = [an_event(ActivityReported(name="review", reference=name), at=till.world.now) for name in ("r1", "r1", "r2")]
    await till.hears(*told)
    await till.hears(an_event(ActivityReported(name="review", reference="r1"), at=till.world.now))
    assert (await till.member())["available"] == 40
    assert len(await till.world.facts("loyalty", PointsEarned)) == 2
    assert await till.books() == []


async def test_a_budget_is_never_overdrawn_by_many_at_once(till: Till) -> None:
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 250}, pending_days=0)
    at = till.world.now
    await till.hears(*(bought(10_000, name=str(n), customer=f"cus_{n}", at=at) for n in range(6)))
    points = [(await till.member(f"cus_{n}"))["available"] for n in range(6)]
    assert (sum(points), sorted(points)) == (250, [0, 0, 0, 50, 100, 100])
    told = [await till.asks(f"/v1/ratings/ord_{n}") for n in range(6)]
    assert [one["why"] for one in told if not one["points"]] == ["no_room"] * 3
    assert await till.books() == []


async def test_a_basket_is_rated_without_a_trace(corner_till: Till) -> None:
    till = corner_till
    await adopted(till, rules=TAUGHT)
    basket = {"lines": [{"net": 3_000, "categories": ["shoes"]}], "currency": "EUR", "customer": "cus_new"}
    told = (await till.calls("/v1/evaluations", basket)).json()
    assert (told["points"], told["tier"]) == (80, "bronze")
    draft = made_of(programme(rules=(Spend(award=9),), zone="Europe/Madrid"))
    body = {**basket, "programme": msgspec.to_builtins(draft, enc_hook=str)}
    tried = (await till.calls("/v1/evaluations", body)).json()
    assert (tried["points"], tried["version"]) == (270, 3)
    assert (await till.member("cus_new"))["joined_at"] is None


async def test_a_programme_is_had_as_a_file_and_compared(corner_till: Till) -> None:
    till = corner_till
    await adopted(till, rules=TAUGHT)
    headers = {"authorization": f"Bearer {till.key}", "accept": "application/yaml"}
    text = (await till.world.get("/v1/programs/prg_1", headers=headers)).text
    draft = files.read(text).programme
    assert [rule.name for rule in draft.rules] == ["spend", "multiplier", "first_order", "review", "letter"]
    [found] = (await till.asks("/v1/programs"))["data"]
    body = {name: value for name, value in found.items() if name not in {"id", "version"}}
    same = (await till.calls("/v1/programs/prg_1/diff", body)).json()
    other = (await till.calls("/v1/programs/prg_1/diff", {**body, "pending_days": 3})).json()
    assert (same["changes"], other["changes"]) == ([], [{"path": "/pending_days", "before": 14, "after": 3}])
    versions = (await till.asks("/v1/programs/prg_1/versions"))["data"]
    assert [row["version"] for row in versions] == [2, 1]


async def test_what_was_paid_before_a_version_was_in_force_is_not_rated_by_it(corner_till: Till) -> None:
    till = corner_till
    late = bought(10_000, at=datetime(2026, 3, 2, 12, 30, tzinfo=UTC))
    await adopted(till, rules=[{"rule": "spend", "award": 5}], effective_from="2026-03-02T13:00:00Z")
    await till.world.passes(hours=2)
    await till.hears(late)
    told = await till.asks("/v1/ratings/ord_1")
    assert (told["version"], told["points"]) == (1, 100)


def test_the_example_in_the_documents_is_a_programme_that_speaks_all_our_languages() -> None:
    example = files.read(Path("docs/programmes/tea-shop.yaml").read_text(encoding="utf-8")).programme
    assert {type(rule) for rule in example.rules} <= {*RULES}
    for kind in (OrderRule, FactRule, DateRule):
        assert sum(isinstance(rule, kind) for rule in example.rules) >= 2, kind
    assert example.referrals is not None
    assert {reward.when for reward in example.referrals.rewards} == {"signup", "first_order", "every_order"}
    assert all(set(rule.texts) in (set(), set(words.LANGUAGES)) for rule in example.rules)
    cost = trial([past("1", 10_000, 0, "ana", 100, "lapsed"), past("2", 10_000, 1, "eva", 100)], example)
    assert {one.segment: one.points for one in cost} == {"lapsed": 100 + 200 + 100, "none": 100 + 100}


async def test_a_budget_that_is_changed_counts_for_the_period_that_runs(till: Till) -> None:
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 150}, pending_days=0)
    at = till.world.now
    await till.hears(bought(10_000, name="1", at=at), bought(10_000, name="2", at=at))
    assert (await till.member())["available"] == 150
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 210}, pending_days=0)
    await till.hears(bought(10_000, name="3", at=at))
    assert (await till.member())["available"] == 210
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 100}, pending_days=0)
    await till.hears(bought(10_000, name="4", at=at))
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 215}, pending_days=0)
    await till.hears(bought(10_000, name="5", at=at))
    assert (await till.member())["available"] == 215
    assert await till.books() == []


async def test_members_who_do_nothing_are_reached_by_a_new_birthday_rule_and_by_new_tiers(till: Till) -> None:
    for name in ("cus_ana", "cus_bea"):
        await till.hears(an_event(ProfileUpdated(birthday="1990-03-20", updated_at=NOON), customer=name, at=NOON))
        await till.hears(bought(30_000, name=name, customer=name))
    await till.world.passes(days=2)
    ladder = {"tiers": [{"name": "bronze"}, {"name": "silver", "threshold": 200}]}
    await adopted(till, rules=[{"rule": "birthday", "points": 40, "wait_days": 0}], ladder=ladder)
    await till.world.settle()
    told = [await till.member(name) for name in ("cus_ana", "cus_bea")]
    assert [(one["tier"], one["available"]) for one in told] == [("silver", 0)] * 2
    await till.world.passes(days=20)
    assert [(await till.member(name))["available"] for name in ("cus_ana", "cus_bea")] == [340, 340]


def test_the_demos_programme_and_rewards_are_ones_a_shop_would_recognise_in_three_languages() -> None:
    folder = Path("docs/programmes")
    programme = files.read((folder / "record-shop.yaml").read_text(encoding="utf-8")).programme
    assert all(set(rule.texts) == set(words.LANGUAGES) for rule in programme.rules)
    rewards = yaml.safe_load((folder / "record-shop-rewards.yaml").read_text(encoding="utf-8"))
    read = [drafts.checked({name: of for name, of in body.items() if name != "stock"}, Reward) for body in rewards]
    assert all(set(reward.texts) == set(words.LANGUAGES) for reward in read)
    tiers = {tier.name for tier in programme.ladder.tiers}
    assert {name for reward in read for name in (*reward.tiers, *reward.prices)} <= tiers


async def test_points_that_wait_for_an_event_about_their_order_come_with_it(till: Till) -> None:
    await adopted(till, rules=[{"rule": "spend"}], pending_until="window_closed", pending_days=0)
    await till.hears(bought(10_000, at=till.world.now))
    assert (await till.member())["pending"] == 100
    await till.hears(an_event(ActivityReported(name="window_closed", reference="ord_1"), at=till.world.now))
    await till.world.passes(minutes=2)
    assert (await till.member())["available"] == 100
    assert await till.books() == []
