"""A member's page in one call, in three languages; what it says of somebody new."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from services.loyalty import words
from services.loyalty.records import Kind
from services.loyalty.rules import RULES, DateRule, FactRule
from shared.events.ingest import ActivityReported
from tests.builders import an_event
from tests.loyalty.till import Till, bought

PAGE = "/v1/members/me/page"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (("es-MX,es;q=0.9,en;q=0.5",), "es"),
        (("fr, pt-BR;q=0.8",), "pt"),
        (("", "de"), "en"),
        (("pt", "es"), "pt"),
    ],
)
def test_the_first_language_that_we_speak_is_taken(wanted: tuple[str, ...], language: str) -> None:
    assert words.language_of(*wanted) == language


def test_days_are_local_and_in_words() -> None:
    moment = datetime(2026, 3, 1, 3, 30, tzinfo=UTC)
    assert words.day_in_words(moment, "America/New_York", "en") == "28 February 2026"
    assert words.day_in_words(moment, "Europe/Madrid", "es") == "1 de marzo de 2026"
    assert words.day_in_words(moment, "America/Sao_Paulo", "pt") == "1 de março de 2026"


def test_whatever_can_happen_has_its_words() -> None:
    paid = {str(rule.__struct_config__.tag) for rule in RULES if issubclass(rule, FactRule | DateRule)}
    friends = {"referral", "referral_welcome", "referral_milestone"}
    assert paid - {"event"} | friends == set(words.RULES)
    assert set(get_args(Kind)) == set(words.KINDS)
    said = [*map(set, words.KINDS.values()), *map(set, words.RULES.values())]
    assert all(languages == set(words.LANGUAGES) for languages in said)


async def page(till: Till, **how: Any) -> Any:
    return await till.asks(PAGE, by=till.token("cus_ana"), **how)


async def test_a_members_page_has_it_all_in_one_call(till: Till) -> None:
    await till.gives(40)
    [found] = (await till.asks("/v1/programs"))["data"]
    draft = {name: value for name, value in found.items() if name not in {"id", "version"}}
    rules = [{"rule": "spend"}, {"rule": "review", "points": 20}]
    rules.append({"rule": "event", "event": "quiz", "points": 5, "texts": {"es": "Puntos por el test"}})
    answer = await till.calls("/v1/programs/prg_1", {**draft, "rules": rules, "notice_days": 400}, verb="PUT")
    assert answer.status_code == 200, answer.text
    cheap = {"name": "Ten off", "kind": "free_shipping", "price": 50, "texts": {"es": "Envío gratis"}}
    await till.calls("/v1/rewards", cheap)
    await till.calls("/v1/rewards", {**cheap, "name": "Dear", "texts": {}, "price": 500})
    await till.calls("/v1/rewards", {**cheap, "name": "Gone", "stock": 0})
    await till.hears(bought(30_000, at=till.world.now))
    for name in ("review", "quiz"):
        await till.hears(an_event(ActivityReported(name=name, reference="1"), at=till.world.now))
    seen = await page(till, language="es")
    assert (seen["member"]["available"], seen["member"]["pending"], seen["member"]["tier"]) == (65, 300, "bronze")
    assert (seen["member"]["next_tier"]["missing"], seen["progress_percent"]) == (175, 65)
    assert (seen["tier_percent"], seen["next_tier_percent"]) == (100, 125)
    assert seen["expiring"]["points"] == 65
    assert [(row["words"], row["points"]) for row in seen["history"]] == [
        ("Puntos por el test", 5),
        ("Puntos por una reseña", 20),
        ("Puntos por un pedido", 300),
        ("Ajuste de la tienda", 40),
    ]
    assert seen["history"][0]["day"] == "2 de marzo de 2026"
    assert [(row["name"], row["missing"]) for row in seen["rewards"]] == [("Envío gratis", 0), ("Dear", 435)]
    assert (await page(till))["history"][0]["words"] == "Extra points"


async def test_somebody_new_sees_what_can_be_had_and_is_not_written(corner_till: Till) -> None:
    await corner_till.gives(1, "cus_other")
    await corner_till.calls("/v1/rewards", {"name": "Ship", "kind": "free_shipping", "price": 50})
    seen = await corner_till.asks(PAGE, by=corner_till.token("cus_new"))
    assert (seen["member"]["available"], seen["history"], seen["expiring"]["points"]) == (0, [], 0)
    assert [row["missing"] for row in seen["rewards"]] == [50]
    assert seen["member"]["joined_at"] is None
