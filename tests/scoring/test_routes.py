"""The public API of scoring: who may ask, what is listed, what is refused."""

import pytest

from tests.scoring.shop import NOON, Shop, bought


@pytest.fixture
async def busy(corner_shop: Shop) -> Shop:
    """The shop with seven customers, one of whom has lapsed."""
    await corner_shop.hears(*bought(-900, customer="cus_gone"))
    for number in range(6):
        await corner_shop.hears(*bought(-40 + number, -2, customer=f"cus_{number}"))
    return corner_shop


async def test_lists_come_in_pages_that_join_up(busy: Shop) -> None:
    seen, cursor = [], ""
    while True:
        page = await busy.asks("/v1/scores", limit=3, cursor=cursor)
        seen += [row["customer"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    assert seen == [*(f"cus_{number}" for number in range(6)), "cus_gone"]


async def test_segments_have_names_descriptions_sizes_and_members(busy: Shop) -> None:
    segments = {row["name"]: row for row in (await busy.asks("/v1/segments"))["data"]}
    assert {name: row["customers"] for name, row in segments.items() if row["customers"]} == {"active": 6, "lapsed": 1}
    assert all(row["description"] for row in segments.values())
    members = await busy.asks("/v1/segments/lapsed/members")
    assert [row["customer"] for row in members["data"]] == ["cus_gone"]
    assert (await busy.asks("/v1/scores", segment="lapsed"))["data"] == members["data"]
    await busy.asks("/v1/segments/nonsense/members", 404)


async def test_company_figures_by_account_and_store(busy: Shop) -> None:
    figures = await busy.asks("/v1/kpis")
    months = {row["month"]: row for row in figures["data"]}
    assert list(months)[-1] == NOON.strftime("%Y-%m")
    assert (months["2026-02"]["orders"], months["2026-02"]["revenue"]) == (6, {"EUR": 6 * 3500})
    assert "((CE - CN) / CS) * 100" in figures["definitions"]["retention"]
    assert (await busy.asks("/v1/kpis", store="sto_1"))["data"] == figures["data"]
    assert (await busy.asks("/v1/kpis", store="sto_2"))["data"] == []
    assert len((await busy.asks("/v1/kpis", months=2))["data"]) == 2


async def test_lifetime_value_takes_its_terms_from_the_caller(busy: Shop) -> None:
    plain = await busy.asks("/v1/scores/cus_0")
    thin = await busy.asks("/v1/scores/cus_0", margin=0.5, horizon=30, discount=0)
    assert thin["scores"]["clv"]["amount"] < plain["scores"]["clv"]["amount"] / 2
    assert thin["scores"]["clv_terms"] == {"horizon_days": 30, "discount": 0.0, "margin": 0.5}


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/scores/cus_nobody", {}, 404),
        ("/v1/scores/nonsense", {}, 404),
        ("/v1/scores/cus_0", {"margin": 2}, 400),
        ("/v1/scores/cus_0", {"discount": "nan"}, 400),
        ("/v1/scores", {"limit": 0}, 400),
        ("/v1/scores", {"cursor": "%%%"}, 400),
        ("/v1/scores", {"segment": "nonsense"}, 400),
        ("/v1/models", {"cursor": "bm8"}, 400),
        ("/v1/kpis", {"months": 0}, 400),
    ],
)
async def test_what_is_refused(busy: Shop, path: str, params: dict[str, object], status: int) -> None:
    problem = await busy.asks(path, status, **params)
    assert problem["status"] == status
    assert problem["code"]


@pytest.mark.parametrize("path", ["/v1/scores", "/v1/scores/cus_0", "/v1/segments", "/v1/kpis", "/v1/models"])
async def test_only_a_server_key_may_ask(corner_shop: Shop, path: str) -> None:
    assert (await corner_shop.world.get(path)).status_code == 401
    stranger = {"authorization": "Bearer qs_not-one-of-ours"}
    assert (await corner_shop.world.get(path, headers=stranger)).status_code == 401
