"""More points for some products, some tiers, some segments, some days."""

from typing import Annotated

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import Base, LineFilter, OrderRule
from shared.events.ingest import Order


class Multiplier(OrderRule, frozen=True, kw_only=True, tag="multiplier"):
    """Multiplies what basic rules bring for matching lines by `percent` / 100: it brings the part above 100.

    Several multipliers add up: with 200 and 150 on the same line it earns 250 %.
    """

    percent: Annotated[int, msgspec.Meta(gt=100, le=10_000)]
    lines: LineFilter = msgspec.field(default_factory=LineFilter)

    def points(self, order: Order, context: Context, base: Base) -> int:
        """The basic points of the lines, times what the percentage is above 100, rounded down."""
        del order, context
        return base(self.lines) * (self.percent - 100) // 100

    def why_nothing(self, order: Order) -> str:
        """No line matches, or nothing basic was earned on them."""
        return "nothing_to_multiply" if self.lines.of(order) else "nothing_matches"
