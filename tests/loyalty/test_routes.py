"""Loyalty's HTTP: who may call what, what bad input gets, lists in pages, the programme in versions."""

from typing import Any

import pytest

from services.loyalty.service import loyalty
from tests.loyalty.till import Till, bought

REDEEM = "/v1/redemptions"


async def test_a_member_sees_and_spends_her_own_points_only(corner_till: Till) -> None:
    till = corner_till
    await till.gives(50)
    token = till.token("cus_ana")
    assert (await till.asks("/v1/members/me", by=token))["available"] == 50
    assert (await till.asks("/v1/members/cus_ana", by=token))["available"] == 50
    assert (await till.asks("/v1/members/cus_bea", by=token, status=403))["code"] == "forbidden"
    spent = await till.calls(REDEEM, {"points": 20}, by=token)
    assert (spent.status_code, spent.json()["balance"], spent.json()["customer"]) == (201, 30, "cus_ana")
    other = await till.calls(REDEEM, {"points": 20, "customer": "cus_bea"}, by=token)
    assert other.status_code == 403


async def test_a_member_nobody_knows_has_an_empty_wallet_that_is_not_written(corner_till: Till) -> None:
    nobody = await corner_till.asks("/v1/members/me", by=corner_till.token("cus_new"))
    assert (nobody["available"], nobody["joined_at"], nobody["tier"]) == (0, None, "")
    assert await corner_till.world.rows("loyalty", loyalty.subjects.select()) == []
    refused = await corner_till.calls(REDEEM, {"points": 1}, by=corner_till.token("cus_new"))
    assert refused.json()["code"] == "insufficient_points"
    assert await corner_till.world.rows("loyalty", loyalty.subjects.select()) == []


@pytest.mark.parametrize("verb", ["reverse", "adjust", "programme", "transaction"])
async def test_what_only_a_shop_may_do_needs_a_server_key(corner_till: Till, verb: str) -> None:
    token = corner_till.token("cus_ana")
    adjust = {"customer": "cus_ana", "points": 5, "reason": "r", "actor": "a"}
    if verb == "transaction":
        await corner_till.asks("/v1/transactions/txn_1", by=token, status=403)
        return
    made: dict[str, tuple[str, str, Any]] = {
        "reverse": ("POST", f"{REDEEM}/red_1/reverse", None),
        "adjust": ("POST", "/v1/transactions", adjust),
        "programme": ("PUT", "/v1/programs/prg_1", {}),
    }
    method, path, body = made[verb]
    for by in (token, corner_till.browser):
        assert (await corner_till.calls(path, body, by=by, verb=method)).status_code == 403
    assert (await corner_till.calls(path, body, by="qs_wrong", verb=method)).status_code == 401


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"customer": "cus_ana"}, "/points"),
        ({"customer": "cus_ana", "points": 0}, "/points"),
        ({"customer": "cus_ana", "points": -5}, "/points"),
        ({"customer": "cus_ana", "points": 1.5}, "/points"),
        ({"customer": "cus_ana", "points": "5"}, "/points"),
        ({"customer": "cus_ana", "points": 10**30}, "/points"),
        ({"customer": "cus_ana", "points": 5, "more": 1}, "/more"),
    ],
)
async def test_a_body_of_the_wrong_shape_is_a_400_with_a_pointer(
    corner_till: Till, body: dict[str, Any], pointer: str
) -> None:
    answer = await corner_till.calls(REDEEM, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_a_call_without_its_key_is_refused(corner_till: Till) -> None:
    headers = {"authorization": f"Bearer {corner_till.key}"}
    answer = await corner_till.world.post(REDEEM, {"customer": "cus_ana", "points": 1}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


async def test_names_that_are_not_there_are_404(corner_till: Till) -> None:
    await corner_till.gives(1)
    for path in ("/v1/transactions/txn_none", "/v1/programs/prg_none", "/v1/members/nobody"):
        assert (await corner_till.asks(path, status=404))["code"] == "not_found"
    for path in (f"{REDEEM}/red_none/reverse", "/v1/holds/hold_none/capture", "/v1/holds/hold_none/release"):
        assert (await corner_till.calls(path)).status_code == 404
    assert (
        await corner_till.calls("/v1/programs/prg_none", await programme(corner_till), verb="PUT")
    ).status_code == 404


async def test_transactions_come_in_pages_that_hold_while_more_are_written(corner_till: Till) -> None:
    till = corner_till
    for points in range(1, 6):
        await till.gives(points)
    first = await till.asks("/v1/members/cus_ana/transactions", limit=2)
    await till.gives(99)
    second = await till.asks("/v1/members/cus_ana/transactions", limit=2, cursor=first["next_cursor"])
    last = await till.asks("/v1/members/cus_ana/transactions", limit=2, cursor=second["next_cursor"])
    assert [row["points"] for page in (first, second, last) for row in page["data"]] == [5, 4, 3, 2, 1]
    assert (first["has_more"], last["has_more"], last["next_cursor"]) == (True, False, None)
    one = first["data"][0]
    assert (one["reason"], one["actor"], sum(leg["points"] for leg in one["entries"])) == ("gift", "ops", 0)
    assert await till.asks(f"/v1/transactions/{one['id']}") == one
    assert (await till.asks("/v1/members/cus_ana/transactions", cursor="nonsense", status=400))["code"] == "malformed"


async def test_lots_name_their_order_and_their_expiry(corner_till: Till) -> None:
    await corner_till.hears(bought(10_000))
    [lot] = (await corner_till.asks("/v1/members/cus_ana/lots"))["data"]
    assert (lot["source"], lot["state"], lot["remaining"]) == ("ord_1", "pending", 100)
    assert lot["matures_at"] == "2026-03-16T12:00:00Z"
    assert lot["expires_at"] == "2027-03-02T23:00:00Z"


async def programme(till: Till) -> dict[str, Any]:
    """The programme in force, as it would be sent back."""
    [found] = (await till.asks("/v1/programs"))["data"]
    return {name: value for name, value in found.items() if name not in {"id", "version"}}


async def test_a_new_version_counts_for_what_is_paid_from_then_on(corner_till: Till) -> None:
    till = corner_till
    await till.hears(bought(10_000, name="before"))
    draft = await programme(till)
    draft["rules"] = [{"rule": "spend", "award": 2, "per": 100}]
    answer = await till.calls("/v1/programs/prg_1", draft, verb="PUT")
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    await till.world.passes(hours=1)
    await till.hears(bought(10_000, name="after", at=till.world.now), bought(10_000, name="late"))
    await till.hears(bought(10_000, name="before", revision=2, refunded=5_000))
    assert (await till.member())["pending"] == 50 + 200 + 100
    assert (await till.asks("/v1/programs/prg_1", version=1))["rules"][0]["award"] == 1


async def test_a_change_that_somebody_else_overtook_is_refused(corner_till: Till) -> None:
    till = corner_till
    await till.gives(1)
    draft = await programme(till)
    headers = {"authorization": f"Bearer {till.key}", "idempotency-key": "k1", "if-match": '"7"'}
    answer = await till.world.http.put("/v1/programs/prg_1", json=draft, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "version_conflict")
    early = await till.calls("/v1/programs/prg_1", {**draft, "effective_from": "2020-01-01T00:00:00Z"}, verb="PUT")
    assert (early.status_code, early.json()["code"]) == (422, "too_early")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"zone": "Mars/Olympus"}, ""),
        ({"pending_days": -1}, "/pending_days"),
        ({"rules": [{"rule": "spend", "per": 0}]}, "/rules/0/per"),
        ({"rules": [{"rule": "magic"}]}, "/rules/0/rule"),
        ({"ladder": {"tiers": [{"name": "a", "threshold": 5}]}}, "/ladder"),
        ({"surprise": 1}, ""),
        ({"effective_from": "soon"}, "/effective_from"),
    ],
)
async def test_a_faulty_programme_is_refused_whole(corner_till: Till, change: dict[str, Any], pointer: str) -> None:
    await corner_till.gives(1)
    answer = await corner_till.calls("/v1/programs/prg_1", {**await programme(corner_till), **change}, verb="PUT")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert (await corner_till.asks("/v1/programs/prg_1"))["version"] == 1


async def test_every_unsafe_route_says_how_it_may_be_repeated(corner_till: Till) -> None:
    paths = corner_till.world.runtime.app.openapi()["paths"]
    ours = {path: verbs for path, verbs in paths.items() if path.startswith(loyalty.prefixes)}
    unsafe = {
        path: told["x-idempotency"]
        for path, verbs in ours.items()
        for verb, told in verbs.items()
        if verb in {"post", "put", "delete"}
    }
    natural = {path for path, how in unsafe.items() if how == "natural"}
    assert natural == {
        "/v1/programs/{program}/diff",
        "/v1/programs/{program}/impact",
        "/v1/vouchers/check",
        "/v1/evaluations",
        "/v1/imports/balances",
    }
    assert set(unsafe.values()) == {"key", "natural"}
    assert len(unsafe) >= 9


async def test_members_who_choose_the_same_key_do_not_get_each_others_answer(corner_till: Till) -> None:
    for who in ("cus_ana", "cus_ben"):
        await corner_till.gives(30, who)
    answers = [
        await corner_till.calls("/v1/redemptions", {"points": 10}, by=corner_till.token(who), key="checkout-1")
        for who in ("cus_ana", "cus_ben")
    ]
    assert [each.status_code for each in answers] == [201, 201]
    assert len({each.json()["id"] for each in answers}) == 2
    left = [(await corner_till.asks(f"/v1/members/{who}"))["available"] for who in ("cus_ana", "cus_ben")]
    assert left == [20, 20]
