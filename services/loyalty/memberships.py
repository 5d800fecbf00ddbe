"""Memberships that are paid for: a tier for some months, by buying a product; given back, they end at once."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from services.loyalty import terms
from services.loyalty.records import Pass
from shared.events.ingest import Line, Order


class Membership(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever buys one of these `products` has at least this `tier` for `months`; bought again, for as much longer.

    The fee earns points and counts for tiers only when `earns`.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    tier: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    products: Annotated[frozenset[str], msgspec.Meta(min_length=1)]
    months: Annotated[int, msgspec.Meta(ge=1, le=120)] = 12
    earns: bool = False

    def sold(self, line: Line) -> bool:
        """Whether a line is its fee."""
        return not self.products.isdisjoint((line.product, line.variant, line.sku))


def without_fees(order: Order, plans: Sequence[Membership]) -> Order:
    """The order with only the lines that can earn anything."""
    if not plans:
        return order
    silent = [plan for plan in plans if not plan.earns]
    kept = tuple(line for line in order.lines if not any(plan.sold(line) for plan in silent))
    return order if len(kept) == len(order.lines) else msgspec.structs.replace(order, lines=kept)


def passes_after(
    order: Order, plans: Sequence[Membership], passes: Sequence[Pass], day: int, *, counts: bool
) -> tuple[Pass, ...]:
    """A member's passes after a revision of an order paid on a local day; it brings none when it no longer counts."""
    found = list(passes)
    for plan in plans:
        months = plan.months * sum(_kept(line) for line in order.lines if plan.sold(line)) if counts else 0
        held = next((one for one in found if (one.order, one.plan) == (order.id, plan.name)), None)
        if held is not None and not months:
            found.remove(held)
        elif held is None and months:
            since = max([day, *(one.until for one in found if one.plan == plan.name)])
            found.append(Pass(order.id, plan.name, plan.tier, since, terms.months_after(since, months)))
    return tuple(found)


def _kept(line: Line) -> int:
    """How many of a line were not given back."""
    return max(0, line.quantity - line.refunded_quantity) if line.net_kept > 0 else 0
