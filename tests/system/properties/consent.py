"""Never any marketing mail without consent, nor more than the cap allows, whatever order the words come in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.notifications.settings import MessageSettings
from tests.system.properties.seen import mails_of
from tests.system.properties.stories import LATEST_MINUTE, Correspondence
from tests.system.properties.telling import Told
from tests.system.properties.town import Town

LATE = timedelta(hours=6)
LIMITS = MessageSettings().limits()
STEPS = 2  # of three, within the time that passes
Word = tuple[datetime, bool]


async def write_only_to_who_agreed(town: Town, lives: list[Correspondence], pauses: set[int]) -> None:
    """Everybody leaves carts and says yes or no, told in any order, and some change their mind after the first mail."""
    start = town.noon()
    people = [(town.newcomer(), life) for life in lives]
    town.world.clock.move_to(start + timedelta(minutes=LATEST_MINUTE))
    await town.hears([(person, life.told) for person, life in people], start, pauses)
    await town.passes(hours=4)
    town.world.clock.move_to(start + LATE)
    await town.hears([(person, _last_word(life)) for person, life in people], start, set())
    await town.passes(days=1, hours=4)
    for person, life in people:
        mails = [mail for mail in await mails_of(town, person) if mail["purpose"] == "marketing"]
        _allowed(life, _words(life, start), mails)


def _last_word(life: Correspondence) -> list[Told]:
    return [Told("native", life.late, int(LATE.total_seconds()) // 60)] if life.late else []


def _words(life: Correspondence, start: datetime) -> list[Word]:
    """What was said when: the newest word counts, of two at one moment the no."""
    words = [one for one in (*life.told, *_last_word(life)) if one.what in {"yes", "no"}]
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
        carts = {one.about for one in life.told if one.what == "cart"}
        assert len(sent) == min(LIMITS.cap, STEPS * len(carts)), f"{life} got {mails}"
