"""What an earning rule is, and which lines of an order it looks at."""

import msgspec

from services.loyalty.records import Context
from shared.events.ingest import Line, Order


class LineFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines count: of these kinds, of an included product or category where any is named, of no excluded one.

    A product is named by its id, variant or SKU. Gift cards, shipping, tips and fees count only when asked for.
    """

    kinds: frozenset[str] = frozenset({"product"})
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    without_products: frozenset[str] = frozenset()
    without_categories: frozenset[str] = frozenset()

    def match(self, line: Line) -> bool:
        """Whether the line counts."""
        if line.kind not in self.kinds:
            return False
        if (self.without_products or self.without_categories) and self._excluded(line):
            return False
        return not (self.products or self.categories) or self._included(line)

    def _excluded(self, line: Line) -> bool:
        return _names(line, self.without_products) or not self.without_categories.isdisjoint(line.categories)

    def _included(self, line: Line) -> bool:
        return _names(line, self.products) or not self.categories.isdisjoint(line.categories)


def _names(line: Line, products: frozenset[str]) -> bool:
    return line.product in products or line.variant in products or line.sku in products


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="rule"):
    """A rule says how many points an order entitles to, as a pure function of its newest revision and its context."""

    def points(self, order: Order, context: Context) -> int:
        """Points before the tier's multiplier, never negative."""
        raise NotImplementedError
