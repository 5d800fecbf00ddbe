"""Points for money spent."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import OrderRule
from services.loyalty.rules.basket import Basket, LineFilter
from shared.events.ingest import Line, Order


class Spend(OrderRule, frozen=True, kw_only=True, tag="spend"):
    """`award` points for every full `per` (minor units of the programme's currency) of net spend on matching lines.

    What was given back does not count, nor does the share paid with points unless `points_paid` says so; tax counts
    with `tax`, the amount before discounts with `before_discount`. Rounded down once for the order, or for each line.
    """

    award: Annotated[int, msgspec.Meta(ge=0, le=10**6)] = 1
    per: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 100
    lines: LineFilter = msgspec.field(default_factory=LineFilter)
    rounding: Literal["order", "line"] = "order"
    points_paid: bool = False
    tax: bool = False
    before_discount: bool = False

    basic: ClassVar[bool] = True

    def points(self, basket: Basket) -> int:
        """Full steps of what was kept, times the award."""
        if self.rounding == "line" or self.tax or self.before_discount or (basket.with_points and not self.points_paid):
            amounts = self._amounts(basket)
            return self._award(amounts if self.rounding == "line" else [sum(amounts)], basket.context)
        kept, context = basket.kept(self.lines), basket.context
        return self.award * (kept * context.numerator // (self.per * context.denominator)) if kept > 0 else 0

    def why_nothing(self, basket: Basket) -> str:
        """No line matches, or what was kept of them is less than one step."""
        return "below_one_step" if basket.has(self.lines) else "nothing_matches"

    def _award(self, amounts: Sequence[int], context: Context) -> int:
        step = self.per * context.denominator
        return self.award * sum([max(0, amount) * context.numerator // step for amount in amounts])

    def _amounts(self, basket: Basket) -> list[int]:
        """What of each line counts."""
        lines = basket.lines(self.lines)
        if self.tax or self.before_discount:
            amounts = [self._amount(line) for line in lines]
        else:
            amounts = [line.net - line.refunded for line in lines]
        return _cash_share(amounts, basket.order) if basket.with_points and not self.points_paid else amounts

    def _amount(self, line: Line) -> int:
        """What of a line was kept: its net, with tax or before discount in the same share that was kept of the net."""
        whole = line.net + (line.tax if self.tax else 0) + (line.discount if self.before_discount else 0)
        return whole if line.net <= 0 else whole * (line.net - line.refunded) // line.net


def _cash_share(amounts: list[int], order: Order) -> list[int]:
    """What of each amount was not paid with points: the same share of every line, rounded down."""
    paid = sum(tender.amount for tender in order.tenders)
    with_points = sum(tender.amount for tender in order.tenders if tender.kind == "points")
    if with_points <= 0 or paid <= 0:
        return amounts
    return [amount * max(0, paid - with_points) // paid for amount in amounts]
