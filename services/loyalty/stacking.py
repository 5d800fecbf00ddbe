"""How rules stack on an order: basic ones first, one of each exclusive group, each within its cap, then the tier."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from services.loyalty.records import Context, Part
from services.loyalty.rules import Base, LineFilter, OrderRule, Rule
from shared.events.ingest import Line, Order

MOST_PLANS = 1_000


class Sum(NamedTuple):
    """What an order earns, and what each rule had to do with it."""

    points: int
    parts: tuple[Part, ...]


class Plan(NamedTuple):
    """The rules of one version that are about orders, sorted out once."""

    rules: Sequence[Rule]
    found: tuple[OrderRule, ...]
    basic: tuple[OrderRule, ...]
    others: tuple[OrderRule, ...]
    grouped: tuple[OrderRule, ...]
    fixed: frozenset[str]


_plans: dict[int, Plan] = {}


def stacked(order: Order, context: Context, rules: Sequence[Rule], most: int) -> Sum:
    """Points of an order by these rules in its context, at most `most`."""
    plan = _plans.get(id(rules))
    if plan is None or plan.rules is not rules:
        plan = _planned(rules)
    parts = {rule.name: _part(rule, order, context, _nothing) for rule in plan.basic}
    if plan.grouped:
        _one_of_each_group(plan.grouped, parts)
    if plan.others:
        base = _Base(order, context, plan.basic, parts)
        parts |= {rule.name: _part(rule, order, context, base) for rule in plan.others}
        if plan.grouped:
            _one_of_each_group(plan.grouped, parts)
    found = tuple([parts[rule.name] for rule in plan.found])
    return Sum(_summed(found, context, plan.fixed, most), found)


def summed(parts: Sequence[Part], context: Context, rules: Sequence[Rule], most: int) -> int:
    """What the parts of an order's rules come to: the tier multiplies what tiered ones brought, all within its room."""
    return _summed(parts, context, _fixed(rules), most)


def _summed(parts: Sequence[Part], context: Context, fixed_ones: frozenset[str], most: int) -> int:
    tiered = fixed = 0
    for part in parts:
        if part.rule in fixed_ones:
            fixed += part.points
        else:
            tiered += part.points
    return min(tiered * context.percent // 100 + fixed, most if context.room is None else context.room)


def _fixed(rules: Sequence[Rule]) -> frozenset[str]:
    return frozenset(rule.name for rule in rules if isinstance(rule, OrderRule) and not rule.tiered)


def _planned(rules: Sequence[Rule]) -> Plan:
    """Versions never change, so that their identity names the plan; it keeps them alive."""
    found = tuple(rule for rule in rules if isinstance(rule, OrderRule))
    basic, others = (tuple(rule for rule in found if rule.basic is which) for which in (True, False))
    plan = Plan(rules, found, basic, others, tuple(rule for rule in found if rule.group), _fixed(found))
    if len(_plans) >= MOST_PLANS:
        _plans.clear()
    _plans[id(rules)] = plan
    return plan


class _Base:
    """What the basic rules that count bring for some lines of an order, each choice of lines judged once."""

    def __init__(self, order: Order, context: Context, basic: Sequence[OrderRule], parts: Mapping[str, Part]) -> None:
        self._order, self._context = order, context
        self._counted = [rule for rule in basic if parts[rule.name].points]
        self._known = {_which(order.lines): sum(parts[rule.name].raw for rule in self._counted)}

    def __call__(self, lines: LineFilter) -> int:
        """Points for these lines."""
        some = lines.of(self._order)
        points = self._known.get(_which(some))
        if points is None:
            order, context = replace(self._order, lines=some), self._context
            points = sum([rule.points(order, context, _nothing) for rule in self._counted])
            self._known[_which(some)] = points
        return points


def _which(lines: Sequence[Line]) -> tuple[int, ...]:
    return tuple(map(id, lines))


def _nothing(_lines: LineFilter) -> int:
    return 0


def _part(rule: OrderRule, order: Order, context: Context, base: Base) -> Part:
    failed = rule.failed(context)
    if failed:
        return Part(rule.name, 0, 0, failed)
    raw = rule.points(order, context, base)
    if not raw:
        return Part(rule.name, 0, 0, rule.why_nothing(order))
    room = context.rooms.get(rule.name, raw) if rule.cap is not None else raw
    return Part(rule.name, min(raw, room), raw, "capped" if raw > room else "")


def _one_of_each_group(rules: Sequence[OrderRule], parts: dict[str, Part]) -> None:
    """Take from all but the best of each exclusive group what they brought."""
    best: dict[str, OrderRule] = {}
    for rule in rules:
        part = parts.get(rule.name)
        if rule.group and part is not None and part.points:
            held = best.get(rule.group)
            best[rule.group] = rule if held is None or rule.priority > held.priority else held
    for rule in rules:
        part = parts.get(rule.name)
        winner = best.get(rule.group)
        if part is not None and part.points and winner is not None and winner is not rule:
            parts[rule.name] = Part(rule.name, 0, part.raw, f"beaten_by:{winner.name}")
