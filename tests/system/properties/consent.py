"""Never any marketing mail without consent, nor more than the cap allows, whatever order the words come in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.notifications.settings import MessageSettings
from tests.system.properties.seen import mails_of
from tests.system.properties.stories import LATEST_MINUTE, Correspondence
from tests.system.properties.telling import Told
from tests.system.properties.town import Town

LATE = timedelta(hours=28)  # past the cooldown of the first reminder
STEPS = 3
LIMITS = MessageSettings().limits()
Word = tuple[datetime, bool]


async def write_only_to_who_agreed(town: Town, lives: list[Correspondence], pauses: set[int]) -> None:
    """Everybody leaves carts and says yes or no, told in any order, and some change their mind after the first mail."""
    start = town.noon()
    people = [(town.newcomer(), life) for life in lives]
    town.world.clock.move_to(start + timedelta(minutes=LATEST_MINUTE))
    await town.hears([(person, life.told) for person, life in people], start, pauses)
    await town.passes(hours=26)
    town.world.clock.move_to(start + LATE)
    await town.hears([(person, _in_the_end(life)) for person, life in people], start, set())
    await town.passes(days=4)
    for person, life in people:
        mails = [mail for mail in await mails_of(town, person) if mail["purpose"] == "marketing"]
        _allowed(life, _words(life, start), mails)


def _in_the_end(life: Correspondence) -> list[Told]:
    minute = int(LATE.total_seconds()) // 60
    word = [Told("native", life.late, minute)] if life.late else []
    return [*word, Told("native", "cart", minute, about=9, amount=1_000)]


def _words(life: Correspondence, start: datetime) -> list[Word]:
    """What was said when: the newest word counts, of two at one moment the no."""
    words = [one for one in (*life.told, *_in_the_end(life)) if one.what in {"yes", "no"}]
    said = [(start + timedelta(minutes=one.minute), one.what == "yes") for one in words]
    return sorted(said, key=lambda word: (word[0], not word[1]))


def _agreed(words: Sequence[Word], at: datetime) -> bool:
    return next((granted for when, granted in reversed(words) if when <= at), False)


def _allowed(life: Correspondence, words: Sequence[Word], mails: Sequence[dict[str, Any]]) -> None:
    sent = [datetime.fromisoformat(mail["recorded_at"]) for mail in mails if mail["state"] != "withdrawn"]
    assert all(_agreed(words, at) for at in sent), f"{life} got {mails}"
    for at in sent:
        assert sum(at - LIMITS.window < other <= at for other in sent) <= LIMITS.cap, f"{life} got {mails}"
    if {one.what for one in life.told} & {"yes", "no"} == {"yes"} and life.late != "no":
        assert len(sent) >= STEPS, f"{life} got {mails}"
