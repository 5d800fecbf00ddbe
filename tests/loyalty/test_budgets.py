"""A budget is drawn by conditional updates: who judged by what is no longer there has to judge again."""

import pytest

from services.loyalty import budgets
from services.loyalty.versions import versions_of
from shared.errors import Unavailable
from tests.loyalty.test_programme import adopted
from tests.loyalty.till import Till


async def test_two_who_saw_the_same_budget_do_not_both_draw_it(till: Till) -> None:
    await adopted(till, rules=[{"rule": "spend"}], budget={"points": 250})
    db = till.world.of("loyalty").db
    async with db.write() as tx:
        seen = await budgets.load(tx, await versions_of(tx, ["acc_1"]))
        assert list(seen.values()) == [250]
    after = dict.fromkeys(seen, 50)
    async with db.write() as tx:
        await budgets.store(tx, after, seen)
    with pytest.raises(Unavailable):
        async with db.write() as tx:
            await budgets.store(tx, after, seen)
    async with db.write() as tx:
        assert await budgets.load(tx, await versions_of(tx, ["acc_1"])) == after
