"""Redemptions that are asked for at once are committed together, and none of them feels the others."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import select

from services.loyalty import tables
from services.loyalty.service import loyalty
from tests.loyalty.till import Till

REDEEM = "/v1/redemptions"
NAMES = [f"cus_{number}" for number in range(12)]


async def _given(till: Till, points: int) -> None:
    for name in NAMES:
        await till.gives(points, name)


async def _at_once(till: Till, *bodies: dict[str, Any], keys: tuple[str, ...] = ()) -> list[httpx.Response]:
    keys = keys or tuple(f"once-{number}" for number in range(len(bodies)))
    return await asyncio.gather(*(till.calls(REDEEM, body, key=key) for body, key in zip(bodies, keys, strict=True)))


async def _left(till: Till) -> list[int]:
    return [(await till.member(name))["available"] for name in NAMES]


async def test_each_gets_its_own_answer_and_its_own_points(till: Till) -> None:
    await _given(till, 100)
    answers = await _at_once(till, *({"customer": name, "points": 10 + at} for at, name in enumerate(NAMES)))
    told = [(one.status_code, one.json()["customer"], one.json()["balance"]) for one in answers]
    assert told == [(201, name, 90 - at) for at, name in enumerate(NAMES)]
    assert await _left(till) == [90 - at for at in range(12)]
    again = await _at_once(till, *({"customer": name, "points": 10 + at} for at, name in enumerate(NAMES)))
    assert [one.content for one in again] == [one.content for one in answers]
    assert all(one.headers["idempotency-replayed"] == "true" for one in again)
    assert await till.books() == []


async def test_they_are_committed_together(till: Till) -> None:
    await _given(till, 100)
    await _at_once(till, *({"customer": name, "points": 1} for name in NAMES))
    moments = await till.world.rows("loyalty", select(tables.redemption.c.created_at).distinct())
    assert len(moments) < len(NAMES) / 2


async def test_one_that_is_refused_costs_the_others_nothing_and_leaves_nothing(till: Till) -> None:
    await _given(till, 100)
    bodies = [{"customer": name, "points": 30} for name in NAMES]
    bodies[5] = {"customer": "cus_nobody", "points": 30}
    bodies[7] = {"customer": NAMES[7], "points": 101}
    answers = await _at_once(till, *bodies)
    refused = [at for at, one in enumerate(answers) if one.status_code == 409]
    assert (refused, {answers[at].json()["code"] for at in refused}) == ([5, 7], {"insufficient_points"})
    assert await _left(till) == [100 if at in refused else 70 for at in range(12)]
    members = {row[0] for row in await till.world.rows("loyalty", select(loyalty.subjects.c.customer))}
    keys = {row[0] for row in await till.world.rows("loyalty", select(loyalty.kernel.idempotency.c.key))}
    assert "cus_nobody" not in members
    assert not {"once-5", "once-7"} & keys
    assert await till.books() == []


async def test_a_member_who_asks_often_at_once_spends_no_more_than_there_is(till: Till) -> None:
    await till.gives(50)
    answers = await _at_once(till, *[{"customer": "cus_ana", "points": 20}] * 6)
    assert sorted(one.status_code for one in answers) == [201, 201, 409, 409, 409, 409]
    assert (await till.member())["available"] == 10
    assert await till.books() == []


async def test_one_key_many_times_among_others_is_one_call(till: Till) -> None:
    await _given(till, 100)
    keys = tuple("same" if at % 3 else f"own-{at}" for at in range(12))
    answers = await _at_once(till, *[{"customer": NAMES[0], "points": 5}] * 12, keys=keys)
    same = [one for one, key in zip(answers, keys, strict=True) if key == "same"]
    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in same}) == 1
    assert (await _left(till))[0] == 100 - 5 * 5
    assert await till.books() == []
