"""For the shop: liability to the point, balances at past moments, the audit log, balances from another system."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from services.loyalty import imports, tables
from shared.errors import Invalid
from shared.events.ingest import OrderRefunded
from tests.loyalty.till import NOON, Till, bought

LIABILITY = "/v1/reports/liability"
FILE = """customer,points,reference,accrued_at,expires_at,qualifies
cus_ana,300,old-1,2025-06-01,2026-06-01,yes
cus_ana,50,old-2,2025-12-01T10:00:00+01:00,,
cus_bea,10,old-1,,2026-03-20,
"""


async def imported(till: Till, text: str) -> Any:
    headers = {"authorization": f"Bearer {till.key}", "content-type": "text/csv"}
    return await till.world.http.post("/v1/imports/balances", content=text.encode(), headers=headers)


async def busy(till: Till) -> None:
    """A little of everything that can happen to points."""
    await till.hears(bought(20_000, name="1"), bought(10_000, name="2", customer="cus_bea"))
    await till.gives(100)
    await till.calls("/v1/redemptions", {"customer": "cus_ana", "points": 60})
    await till.calls("/v1/holds", {"customer": "cus_ana", "points": 30, "seconds": 86_400})
    await till.hears(bought(10_000, name="2", customer="cus_bea", revision=2, refunded=5_000, kind=OrderRefunded))


async def test_the_liability_report_is_what_the_ledger_says_to_the_point(till: Till) -> None:
    await busy(till)
    told = await till.asks(LIABILITY)
    assert (told["issued"], told["redeemed"], told["available"], told["pending"], told["held"]) == (
        350,
        60,
        10,
        250,
        30,
    )
    assert (told["outstanding"], told["reconciles"], told["redemption_ppm"]) == (290, True, 60 * 10**6 // 350)
    assert sum(bucket["points"] for bucket in told["by_age"]) == 260
    assert [bucket["points"] for bucket in told["by_expiry"]] == [0, 0, 0, 0, 260]
    await till.world.passes(days=400)
    later = await till.asks(LIABILITY)
    assert (later["outstanding"], later["expired"], later["breakage_ppm"]) == (0, 290, 290 * 10**6 // 350)
    then = await till.asks(LIABILITY, at=(NOON + timedelta(hours=1)).isoformat())
    assert {**then, "at": ""} == {**told, "at": ""}
    half_a_year = await till.asks(LIABILITY, at=(NOON + timedelta(days=200)).isoformat())
    assert [bucket["points"] for bucket in half_a_year["by_age"]] == [0, 0, 0, 290, 0]
    assert [bucket["points"] for bucket in half_a_year["by_expiry"]] == [0, 0, 290, 0, 0]


async def test_the_report_says_when_it_does_not_reconcile(corner_till: Till) -> None:
    await corner_till.gives(70)
    async with corner_till.world.of("loyalty").db.write() as tx:
        await tx.execute(update(tables.entry).where(tables.entry.c.side == "available").values(points=71))
    assert (await corner_till.asks(LIABILITY))["reconciles"] is False


async def test_a_balance_of_the_past_is_told_as_recorded_or_as_it_had_occurred(till: Till) -> None:
    await till.gives(5)
    await till.world.passes(days=2)
    await till.hears(bought(10_000, name="late", at=NOON + timedelta(hours=1)))
    moment = (NOON + timedelta(days=1)).isoformat()
    recorded = await till.asks("/v1/members/cus_ana/balance", at=moment)
    occurred = await till.asks("/v1/members/cus_ana/balance", at=moment, clock="occurred")
    assert (recorded["sides"]["available"], recorded["sides"]["pending"], recorded["sum"]) == (5, 0, 0)
    assert (occurred["sides"]["available"], occurred["sides"]["pending"], occurred["sum"]) == (5, 100, 0)
    before = await till.asks("/v1/members/cus_ana/balance", at="2020-01-01T00:00:00Z")
    assert set(before["sides"].values()) == {0}


async def test_balances_from_another_system_come_in_once_with_their_ages_and_expiries(till: Till) -> None:
    answer = await imported(till, FILE)
    assert (answer.status_code, answer.json()) == (200, {"rows": 3, "imported": 3, "known": 0})
    again = await imported(till, FILE + "cus_bea,7,new,,,\n")
    assert again.json() == {"rows": 4, "imported": 1, "known": 3}
    ana = await till.member()
    assert (ana["available"], ana["qualifying"]) == (350, 300)
    lots = (await till.asks("/v1/members/cus_ana/lots"))["data"]
    assert sorted((lot["accrued_at"], lot["expires_at"]) for lot in lots) == [
        ("2025-06-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ("2025-12-01T09:00:00Z", "2026-12-01T23:00:00Z"),
    ]
    await till.world.passes(days=20)
    assert (await till.member("cus_bea"))["available"] == 7
    assert (await till.asks(LIABILITY))["reconciles"] is True
    assert await till.books() == []


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("customer,points\ncus_a,1\n", "/0"),
        ("customer,points,reference,shoe\ncus_a,1,r,9\n", "/0"),
        ("customer,points,reference\ncus_a,1.5,r\n", "/1"),
        ("customer,points,reference\ncus_a,5,r\ncus_a,0,s\n", "/2"),
        ("customer,points,reference,expires_at\ncus_a,5,r,soon\n", "/1"),
        ("customer,points,reference\n,5,r\n", "/1"),
        ("", "/0"),
    ],
)
def test_a_faulty_file_is_refused_whole_with_the_row(text: str, pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        imports.read(text)
    assert refused.value.faults[0][0] == pointer


async def test_whoever_changes_something_by_the_api_stands_in_the_audit_log(till: Till) -> None:
    await till.gives(5)
    reward = (await till.calls("/v1/rewards", {"name": "Ship", "kind": "free_shipping", "price": 5})).json()["id"]
    await imported(till, FILE)
    await till.calls("/v1/transactions", {"customer": "cus_ana", "points": 0, "reason": "r", "actor": "a", "x": 1})
    first = await till.asks("/v1/audit-events", limit=3)
    rest = await till.asks("/v1/audit-events", cursor=first["next_cursor"])
    rows = [*first["data"], *rest["data"]]
    assert [row["action"] for row in rows] == ["import", "import", "import", "reward", "adjust"]
    assert rows[3]["subject"] == reward
    assert {row["key"] for row in rows} == {"key_1"}
    await till.asks("/v1/audit-events", by=till.token("cus_ana"), status=403)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a|\rb", "/0"),
        ('customer,points,reference\rcus_ana,5,"' + "x" * 200_000 + '"', "/1"),
    ],
)
async def test_a_file_that_is_no_csv_is_told_where(corner_till: Till, text: str, at: str) -> None:
    """A line may also end as on old Macs; a field has its limit."""
    told = await imported(corner_till, text)
    assert (told.status_code, [fault["pointer"] for fault in told.json()["errors"]]) == (400, [at])
