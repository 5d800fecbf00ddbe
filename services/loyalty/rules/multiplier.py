"""More points for some products, some tiers, some segments, some days."""

from typing import Annotated

import msgspec

from services.loyalty.rules.base import OrderRule
from services.loyalty.rules.basket import Basket, LineFilter


class Multiplier(OrderRule, frozen=True, kw_only=True, tag="multiplier"):
    """Multiplies what basic rules bring for matching lines by `percent` / 100: it brings the part above 100.

    Several multipliers add up: with 200 and 150 on the same line it earns 250 %.
    """

    percent: Annotated[int, msgspec.Meta(gt=100, le=10_000)]
    lines: LineFilter = msgspec.field(default_factory=LineFilter)

    def points(self, basket: Basket) -> int:
        """The basic points of the lines, times what the percentage is above 100, rounded down."""
        return basket.brought(self.lines) * (self.percent - 100) // 100

    def why_nothing(self, basket: Basket) -> str:
        """No line matches, or nothing basic was earned on them."""
        return "nothing_to_multiply" if basket.has(self.lines) else "nothing_matches"
