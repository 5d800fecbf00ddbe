"""What a programme would have cost on past orders, by segment: by the functions that rate live orders, nothing kept."""

from collections import Counter
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from services.loyalty import earning, tiers
from services.loyalty.earning import Shop
from services.loyalty.holders import MAIN
from services.loyalty.impact import NO_SEGMENT
from services.loyalty.programmes import Programme
from services.loyalty.records import Member
from shared.events import Lane
from shared.events.ingest import Order


class Past(msgspec.Struct, frozen=True):
    """A past order: whose and where, the segments of its customer, the store's zone, the points booked for it."""

    order: Order
    customer: str
    shop: Shop
    segments: tuple[str, ...]
    booked: int


class Cost(msgspec.Struct, kw_only=True):
    """What the orders of one segment brought and would have brought, in points."""

    segment: str
    orders: int = 0
    booked: int = 0
    points: int = 0
    by_rule: dict[str, int] = msgspec.field(default_factory=dict)


def trial(past: Iterable[Past], programme: Programme) -> list[Cost]:
    """The cost of a programme's main wallet by segment, the dearest first; tiers, caps, first orders build up."""
    members: dict[str, Member] = {}
    costs: dict[str, Cost] = {}
    by_rule: dict[str, Counter[str]] = {}
    told = [one for one in past if one.order.paid_at is not None]
    for one in sorted(told, key=lambda one: (one.order.paid_at or one.order.placed_at, one.order.id)):
        member = members.get(one.customer) or Member("", one.customer, one.order.placed_at)
        members[one.customer], points, parts = _rated(one, member, programme)
        for segment in one.segments or (NO_SEGMENT,):
            cost = costs.setdefault(segment, Cost(segment=segment))
            cost.orders, cost.booked, cost.points = cost.orders + 1, cost.booked + one.booked, cost.points + points
            by_rule.setdefault(segment, Counter()).update(parts)
    for segment, rules in by_rule.items():
        costs[segment].by_rule = dict(sorted(rules.items()))
    return sorted(costs.values(), key=lambda cost: (-cost.points, cost.segment))


def _rated(one: Past, member: Member, programme: Programme) -> tuple[Member, int, dict[str, int]]:
    paid_at, programme = one.order.paid_at or one.order.placed_at, programme.of(MAIN)
    order = replace(one.order, lane=Lane.LIVE)
    member = replace(member, segments=one.segments)
    context = earning.context_of(order, one.shop, member, replace(programme, start=paid_at), paid_at)
    rating = earning.rated(order, member, None, context, programme)
    member = replace(earning.used(member, rating, programme), first_order=member.first_order or order.id)
    counts = earning.counts_of(None, rating)
    if any(counts):
        moves = tiers.added(member.moves, earning.move_of(counts, context, programme, None))
        member = replace(member, moves=moves)
    return member, rating.points, {part.rule: part.points for part in rating.parts or () if part.points}
