"""No mail for a cart whose purchase was answered before its timer was due, whatever lags and whatever moves next."""

import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from tests.system.properties.seen import mails_of
from tests.system.properties.stories import REMINDER_MINUTES
from tests.system.properties.telling import Person, Told, tell
from tests.system.properties.town import Town

STEP_MINUTES = 5
LAG_MINUTES = 30
STANDSTILLS = (
    ("ingest intake",),
    ("ingest relay",),
    ("notifications inbox",),
    ("ingest intake", "ingest relay"),
    ("loyalty relay", "scoring inbox", "notifications timers"),
    ("notifications hand over",),
)
Teller = tuple[Person, list[Told]]


async def remind_only_who_did_not_buy(
    town: Town, lives: list[list[Told]], held: tuple[str, ...], begins: int, dice: random.Random
) -> None:
    """Some loops stand still for half an hour from minute `begins` on, the others move as the dice say."""
    start = town.noon()
    tellers = [(town.newcomer(), [Told("native", "yes"), *told]) for told in lives]
    await _live(town, tellers, start, lambda minute: held if begins <= minute < begins + LAG_MINUTES else (), dice)
    await town.passes(hours=1)
    for person, told in tellers:
        mails = [mail["step"] for mail in await mails_of(town, person) if mail["journey"] == "abandoned_cart"]
        bought = any(one.what == "order" for one in told)
        assert mails == ([] if bought else ["cart_reminder"]), f"{told} got {mails}"


async def _live(
    town: Town, tellers: Sequence[Teller], start: datetime, held: Callable[[int], Collection[str]], dice: random.Random
) -> None:
    """Time goes on step by step; what was done by then is told at its minute, and loops move as the dice say."""
    told = sorted(((one.minute, person, one) for person, story in tellers for one in story), key=lambda row: row[:2])
    loops = town.world.loops
    for minute in range(0, 60 + REMINDER_MINUTES + LAG_MINUTES, STEP_MINUTES):
        for at, person, one in told:
            if minute - STEP_MINUTES < at <= minute:
                town.world.clock.move_to(start + timedelta(minutes=at))
                await tell(town.shop, person, start, one)
        town.world.clock.move_to(start + timedelta(minutes=minute))
        free = [name for name in loops if name not in held(minute)]
        for name in dice.choices(free, k=len(free)):
            await loops[name]()
