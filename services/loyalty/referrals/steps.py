"""The steps of a referral: what of a friend's orders counts, and what both sides have yet to be told."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from services.loyalty.referral_records import Referral, Step

SIGNUP = ""


class News(NamedTuple):
    """A step as it is to be told now, and by how many it changes the friends that its referrer has brought."""

    step: Step
    friends: int


def brought_to(referral: Referral, order: str, kept: int, at: datetime) -> Referral:
    """The referral with an order (or the sign-up) brought to what of it counts; new ones are numbered as they come."""
    steps = referral.body.steps
    known = next((step for step in steps if step.order == order), None)
    if known is not None:
        after = tuple(replace(step, kept=kept) if step.order == order else step for step in steps)
    elif kept:
        number = 0 if order == SIGNUP else 1 + sum(step.order != SIGNUP for step in steps)
        after = (*steps, Step(order, number, kept, 0, at))
    else:
        return referral
    return replace(referral, body=replace(referral.body, steps=after))


def settled(referral: Referral) -> tuple[Referral, list[News]]:
    """The referral with everything told, and what that is: only what an approved one keeps counts."""
    news = [News(step, _friends(step)) for step in _due(referral) if step.kept != step.told]
    after = tuple(replace(held, told=due.kept) for held, due in zip(referral.body.steps, _due(referral), strict=True))
    return replace(referral, body=replace(referral.body, steps=after)), news


def _due(referral: Referral) -> Iterable[Step]:
    counts = referral.status == "approved"
    return [step if counts else replace(step, kept=0) for step in referral.body.steps]


def _friends(step: Step) -> int:
    """The first order makes a friend one that was brought, for as long as anything of it is kept."""
    return int(step.kept > 0) - int(step.told > 0) if step.number == 1 else 0
