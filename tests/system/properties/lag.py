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
APART_MINUTES = 15
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
    town: Town, lives: list[list[Told]], standstills: Sequence[tuple[str, ...]], begins: int, dice: random.Random
) -> None:
    """Each life has a standstill of its own: some loops stop for half an hour from its minute `begins` on.

    The lives begin one after the other, so that in one round several standstills meet the same moment of a life; all
    other loops move as the dice say.
    """
    start = town.noon()
    tellers = [(town.newcomer(), _later(told, APART_MINUTES * at)) for at, told in enumerate(lives)]
    stops = [(begins + APART_MINUTES * at, held) for at, (_, held) in enumerate(zip(lives, standstills, strict=False))]
    await _live(town, tellers, start, lambda minute: _standing(stops, minute), dice)
    await town.passes(hours=1)
    for person, told in tellers:
        mails = [mail["step"] for mail in await mails_of(town, person) if mail["journey"] == "abandoned_cart"]
        bought = any(one.what == "order" for one in told)
        assert mails == ([] if bought else ["cart_reminder"]), f"{told} got {mails}"


def _later(told: list[Told], minutes: int) -> list[Told]:
    """A life, consent first, that begins so many minutes after noon."""
    shifted = (one._replace(minute=one.minute + minutes, placed=one.placed + minutes) for one in told)
    return [Told("native", "yes", minutes), *shifted]


def _standing(stops: Sequence[tuple[int, tuple[str, ...]]], minute: int) -> set[str]:
    return {name for begins, held in stops if begins <= minute < begins + LAG_MINUTES for name in held}


async def _live(
    town: Town, tellers: Sequence[Teller], start: datetime, held: Callable[[int], Collection[str]], dice: random.Random
) -> None:
    """Time goes on step by step; what was done by then is told at its minute, and loops move as the dice say."""
    told = sorted(((one.minute, person, one) for person, story in tellers for one in story), key=lambda row: row[:2])
    loops = town.world.loops
    until = 60 + REMINDER_MINUTES + LAG_MINUTES + APART_MINUTES * (len(tellers) - 1)
    for minute in range(0, until, STEP_MINUTES):
        for at, person, one in told:
            if minute - STEP_MINUTES < at <= minute:
                town.world.clock.move_to(start + timedelta(minutes=at))
                await tell(town.shop, person, start, one)
        town.world.clock.move_to(start + timedelta(minutes=minute))
        free = [name for name in loops if name not in held(minute)]
        for name in dice.choices(free, k=len(free)):
            await loops[name]()
