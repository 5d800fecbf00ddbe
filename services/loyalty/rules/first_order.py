"""Points for a member's first order."""

from typing import Annotated, ClassVar

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import OrderRule, Points
from services.loyalty.rules.basket import Basket, LineFilter


class FirstOrder(OrderRule, frozen=True, kw_only=True, tag="first_order"):
    """`award` points, whatever the tier, for the first paid order, if `least` (minor units) of it is kept."""

    award: Points
    least: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 1
    lines: LineFilter = msgspec.field(default_factory=LineFilter)

    tiered: ClassVar[bool] = False

    def failed(self, context: Context) -> str:
        """It must be the first one."""
        return super().failed(context) if context.first_order else "not_the_first_order"

    def points(self, basket: Basket) -> int:
        """All of it or nothing."""
        context = basket.context
        enough = basket.kept(self.lines) * context.numerator >= self.least * context.denominator
        return self.award if enough else 0
