"""Whatever order deliveries come in, and however often: the same orders, scores, balances, tier and decisions."""

from datetime import timedelta
from typing import Any

from tests.system.properties.seen import decided_on, difference, orders_of, scores_of, wallet_of
from tests.system.properties.stories import LATEST_MINUTE, first_paid
from tests.system.properties.telling import Person, Told
from tests.system.properties.town import Town

Tellings = tuple[list[Told], list[Told]]


async def end_the_same(town: Town, lives: list[Tellings], pauses: set[int]) -> None:
    """Two people live the same life, told in two orders."""
    start = town.noon()
    pairs = [((town.newcomer(), one), (town.newcomer(), other)) for one, other in lives]
    town.world.clock.move_to(start + timedelta(minutes=LATEST_MINUTE))
    await town.hears([teller for pair in pairs for teller in pair], start, pauses)
    await town.passes(hours=3)
    for (one, told), (other, retold) in pairs:
        unlike = difference(await _seen(town, one, told), await _seen(town, other, retold))
        if first_paid(told) != first_paid(retold):
            unlike.pop("wallet", None)
        assert not unlike, f"{told} against {retold} ends in {unlike}"


async def _seen(town: Town, person: Person, told: list[Told]) -> dict[str, Any]:
    """All that must be alike.

    Thanks go out at once: not when the order was heard to be undone by then, nor when no address was known yet.
    """
    always = {one.via for one in told if one.what == "order"} <= {"native", "shopify"}
    thanked = always and not any(one.what in {"refund", "cancel"} for one in told)
    return {
        "orders": await orders_of(town, person),
        "wallet": await wallet_of(town, person),
        "scores": await scores_of(town, person),
        "mails": await decided_on(town, person, "abandoned_cart", *(("thank_you",) if thanked else ())),
    }
