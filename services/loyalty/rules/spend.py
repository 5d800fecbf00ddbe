"""Points for money spent."""

from typing import Annotated, Literal

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import LineFilter, Rule
from shared.events.ingest import Order


class Spend(Rule, frozen=True, kw_only=True, tag="spend"):
    """`award` points for every full `per` (minor units of the programme's currency) of net spend on matching lines.

    What was given back does not count, nor does the share paid with points unless `points_paid` says so.
    Rounded down once for the order, or for each line.
    """

    award: Annotated[int, msgspec.Meta(ge=0, le=10**6)] = 1
    per: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 100
    lines: LineFilter = msgspec.field(default_factory=LineFilter)
    rounding: Literal["order", "line"] = "order"
    points_paid: bool = False

    def points(self, order: Order, context: Context) -> int:
        """Full steps of what was kept, times the award."""
        amounts = [line.net - line.refunded for line in order.lines if self.lines.match(line)]
        if not self.points_paid and order.tenders:
            amounts = _cash_share(amounts, order)
        step = self.per * context.denominator
        if self.rounding == "line":
            return self.award * sum(max(0, amount) * context.numerator // step for amount in amounts)
        return self.award * (max(0, sum(amounts)) * context.numerator // step)


def _cash_share(amounts: list[int], order: Order) -> list[int]:
    """What of each amount was not paid with points: the same share of every line, rounded down."""
    paid = sum(tender.amount for tender in order.tenders)
    with_points = sum(tender.amount for tender in order.tenders if tender.kind == "points")
    if with_points <= 0 or paid <= 0:
        return amounts
    return [amount * max(0, paid - with_points) // paid for amount in amounts]
