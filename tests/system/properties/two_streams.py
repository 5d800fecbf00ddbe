"""Two streams and their merge, however they interleave, equal one customer from the start."""

from datetime import timedelta
from typing import Any

from tests.system.properties.seen import decided_on, difference, orders_of, scores_of, wallet_of
from tests.system.properties.stories import LATEST_MINUTE
from tests.system.properties.telling import Person, Told
from tests.system.properties.town import Town


async def equal_one_customer(town: Town, lives: list[list[Told]], pauses: set[int]) -> None:
    """What one person does under two names that are joined on the way, another does under both from the start."""
    start = town.noon()
    pairs = [((town.newcomer(), told), (town.newcomer(), _from_the_start(told))) for told in lives]
    town.world.clock.move_to(start + timedelta(minutes=LATEST_MINUTE))
    await town.hears([teller for pair in pairs for teller in pair], start, pauses)
    await town.passes(hours=3)
    for (merged, told), (single, _) in pairs:
        unlike = difference(await _seen(town, merged), await _seen(town, single))
        assert not unlike, f"{told} ends in {unlike}"


async def _seen(town: Town, person: Person) -> dict[str, Any]:
    return {
        "orders": await orders_of(town, person),
        "wallet": await wallet_of(town, person),
        "scores": await scores_of(town, person),
        "carts": await decided_on(town, person, "abandoned_cart"),
    }


def _from_the_start(told: list[Told]) -> list[Told]:
    return [one._replace(by="both") for one in told]
