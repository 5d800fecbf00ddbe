"""Of a wallet of many lots a redemption reads no more than it draws, and draws what it would draw of all of them."""

import random
from datetime import timedelta

from services.loyalty import tables, wallets
from services.loyalty.ledger import spending_order
from services.loyalty.loading import MOST_DRAWN
from services.loyalty.records import AVAILABLE, Lot, Member
from tests.loyalty.till import NOON, Till

REDEEM = "/v1/redemptions"
NUMBER, EACH = 3 * MOST_DRAWN, 10


def _lot(number: int, days: int | None) -> Lot:
    return Lot(
        account="acc_1",
        id=f"lot_{number:03}",
        customer="cus_ana",
        source=f"ord_{number}",
        state=AVAILABLE,
        issued=EACH,
        remaining=EACH,
        open=True,
        accrued_at=NOON - timedelta(days=400, minutes=number),
        matures_at=NOON - timedelta(days=390),
        expires_at=None if days is None else NOON + timedelta(days=days),
    )


async def _filled(till: Till) -> list[Lot]:
    """A wallet whose timers have not cleared away yet what has expired; gives what can be spent, in its order."""
    chance = random.Random(7)
    past, never = [_lot(900 + at, -1 - at) for at in range(3)], [_lot(800 + at, None) for at in range(3)]
    lots = [_lot(number, chance.randrange(1, 40)) for number in range(NUMBER)]
    whole = len(lots + never + past) * EACH
    member = Member(account="acc_1", customer="cus_ana", joined_at=NOON, available=whole)
    async with till.world.of("loyalty").db.write() as tx:
        await tx.insert_many(tables.member, [wallets.row_of(member)])
        await tx.insert_many(tables.lot, [*never, *lots, *past])
    return spending_order([*lots, *never])


async def _drawn(till: Till, points: int) -> list[str]:
    answer = await till.calls(REDEEM, {"customer": "cus_ana", "points": points})
    assert answer.status_code == 201, answer.text
    return [lot["lot"] for lot in answer.json()["lots"]]


async def test_lots_are_drawn_soonest_to_expire_first_however_many_there_are(till: Till) -> None:
    order = [lot.id for lot in await _filled(till)]
    assert await _drawn(till, 3 * EACH) == order[:3]
    assert await _drawn(till, 2 * MOST_DRAWN * EACH) == order[3 : 3 + 2 * MOST_DRAWN]
    left = (len(order) - 3 - 2 * MOST_DRAWN) * EACH
    more = await till.calls(REDEEM, {"customer": "cus_ana", "points": left + 1})
    assert (more.status_code, more.json()["code"]) == (409, "insufficient_points")
    assert await _drawn(till, left) == order[3 + 2 * MOST_DRAWN :]
