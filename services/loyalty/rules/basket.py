"""What rules see of an order: which of its lines they count, and what these came to, each worked out once."""

from collections.abc import Callable, Sequence

import msgspec

from services.loyalty.records import Context
from shared.events.ingest import Line, Order

ALL = -1


class LineFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
    """Which lines count: of these kinds, of an included product or category where any is named, of no excluded one.

    A product is named by its id, variant or SKU. Gift cards, shipping, tips and fees count only when asked for.
    """

    kinds: frozenset[str] = frozenset({"product"})
    products: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    without_products: frozenset[str] = frozenset()
    without_categories: frozenset[str] = frozenset()

    def choice(self, lines: Sequence[Line]) -> int:
        """The lines that count: bit n stands for the n-th."""
        kinds = self.kinds
        if self.categories or self.products or self.without_categories or self.without_products:
            return sum([1 << n for n, line in enumerate(lines) if line.kind in kinds and self._names(line)])
        return sum([1 << n for n, line in enumerate(lines) if line.kind in kinds])

    def _names(self, line: Line) -> bool:
        """Whether a line is of what is named, and of nothing that is excluded."""
        if (self.products or self.categories) and not _is_of(line, self.products, self.categories):
            return False
        return not _is_of(line, self.without_products, self.without_categories)


def _is_of(line: Line, products: frozenset[str], categories: frozenset[str]) -> bool:
    """Whether a line is of one of these products or categories."""
    if products and (line.product in products or line.variant in products or line.sku in products):
        return True
    return not categories.isdisjoint(line.categories)


Points = Callable[["Basket"], int]


class Basket:
    """An order in the context of its rating, as rules see it: all its lines, or for a while some of them.

    `order` is the whole one even then; `with_points` says whether any of it was paid with points.
    """

    __slots__ = (
        "_basic",
        "_brought",
        "_choices",
        "_kept",
        "_lines",
        "_looked_at",
        "_within",
        "context",
        "order",
        "with_points",
    )

    def __init__(self, order: Order, context: Context) -> None:
        self.order, self.context = order, context
        self.with_points = bool(order.tenders) and any(tender.kind == "points" for tender in order.tenders)
        self._within = self._looked_at = ALL
        self._choices: dict[LineFilter, int] = {}
        self._lines: dict[int, list[Line]] = {0: []}
        self._kept = {0: 0}
        self._basic: Sequence[tuple[Points, int]] = ()
        self._brought: dict[int, int] = {}

    def has(self, which: LineFilter) -> bool:
        """Whether any line counts."""
        return self._choice(which) != 0

    def lines(self, which: LineFilter) -> list[Line]:
        """The lines that count."""
        choice = self._choice(which)
        lines = self._lines.get(choice)
        if lines is None:
            lines = self._lines[choice] = [line for n, line in enumerate(self.order.lines) if choice >> n & 1]
        return lines

    def kept(self, which: LineFilter) -> int:
        """The net of the lines that count less what was given back of it, in minor units of the order's currency."""
        choice = self._choice(which)
        kept = self._kept.get(choice)
        if kept is None:
            lines = enumerate(self.order.lines)
            kept = self._kept[choice] = sum([line.net - line.refunded for n, line in lines if choice >> n & 1])
        return kept

    def brought(self, which: LineFilter) -> int:
        """What the basic rules that count bring for these lines, before the tier's multiplier; to them it is 0."""
        choice = self._choice(which) & self._looked_at
        points = self._brought.get(choice)
        if points is None:
            self._within, self._brought[choice] = choice, 0
            points = self._brought[choice] = sum([points_of(self) for points_of, _ in self._basic])
            self._within = ALL
        return points

    def count(self, basic: Sequence[tuple[Points, int]]) -> None:
        """Know which basic rules count, and what each brings for the whole order: for all the lines it asked for."""
        self._basic, self._looked_at = basic, 0
        for choice in self._choices.values():
            self._looked_at |= choice
        self._brought = {self._looked_at: sum([points for _, points in basic])}

    def _choice(self, which: LineFilter) -> int:
        """The lines that count, a bit for each."""
        choice = self._choices.get(which)
        if choice is None:
            choice = self._choices[which] = which.choice(self.order.lines)
        return choice & self._within
