"""How rules stack on an order: basic ones first, one of each exclusive group, each within its cap, then the tier."""

from collections.abc import Sequence
from typing import NamedTuple

from services.loyalty.records import Context, Part
from services.loyalty.rules import Base, LineFilter, OrderRule, Rule
from shared.events.ingest import Order


class Sum(NamedTuple):
    """What an order earns, and what each rule had to do with it."""

    points: int
    parts: tuple[Part, ...]


def stacked(order: Order, context: Context, rules: Sequence[Rule], most: int) -> Sum:
    """Points of an order by these rules in its context, at most `most`."""
    found = [rule for rule in rules if isinstance(rule, OrderRule)]
    parts = {rule.called: _part(rule, order, context, _nothing) for rule in found if rule.basic}
    _one_of_each_group(found, parts)

    def base(lines: LineFilter) -> int:
        """What the basic rules that count bring for some lines."""
        some = lines.of(order)
        return sum(r.points(some, context, _nothing) for r in found if r.basic and parts[r.called].points)

    parts |= {rule.called: _part(rule, order, context, base) for rule in found if not rule.basic}
    _one_of_each_group(found, parts)
    tiered = sum(parts[rule.called].points for rule in found if rule.tiered)
    fixed = sum(parts[rule.called].points for rule in found if not rule.tiered)
    total = min(tiered * context.percent // 100 + fixed, most if context.room is None else context.room)
    return Sum(total, tuple(parts[rule.called] for rule in found))


def _nothing(_lines: LineFilter) -> int:
    return 0


def _part(rule: OrderRule, order: Order, context: Context, base: Base) -> Part:
    failed = rule.failed(context)
    if failed:
        return Part(rule.called, 0, 0, failed)
    raw = rule.points(order, context, base)
    if not raw:
        return Part(rule.called, 0, 0, rule.why_nothing(order))
    room = context.rooms.get(rule.called, raw) if rule.cap is not None else raw
    return Part(rule.called, min(raw, room), raw, "capped" if raw > room else "")


def _one_of_each_group(rules: Sequence[OrderRule], parts: dict[str, Part]) -> None:
    """Take from all but the best of each exclusive group what they brought."""
    best: dict[str, OrderRule] = {}
    for rule in rules:
        part = parts.get(rule.called)
        if rule.group and part is not None and part.points:
            held = best.get(rule.group)
            best[rule.group] = rule if held is None or rule.priority > held.priority else held
    for rule in rules:
        part = parts.get(rule.called)
        winner = best.get(rule.group)
        if part is not None and part.points and winner is not None and winner is not rule:
            parts[rule.called] = Part(rule.called, 0, part.raw, f"beaten_by:{winner.called}")
