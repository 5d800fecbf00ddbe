"""How rules stack on an order: basic ones first, one of each exclusive group, each within its cap, then the tier."""

from collections.abc import Sequence
from typing import NamedTuple

from services.loyalty.records import Context, Part
from services.loyalty.rules import Basket, OrderRule, Rule
from shared.events.ingest import Order

Groups = tuple[tuple[OrderRule, ...], ...]


class Sum(NamedTuple):
    """What an order earns, and what each rule had to do with it."""

    points: int
    parts: tuple[Part, ...]


class Plan(NamedTuple):
    """The rules of one version that are about orders, sorted out once; of each exclusive group the best comes first.

    `names` are in the order in which the rules were written, `fixed` those of rules that the tier does not multiply.
    """

    names: tuple[str, ...]
    basic: tuple[OrderRule, ...]
    others: tuple[OrderRule, ...]
    groups: Groups
    basic_groups: Groups
    fixed: frozenset[str]


def planned(rules: Sequence[Rule]) -> Plan:
    """The plan of these rules."""
    found = [rule for rule in rules if isinstance(rule, OrderRule)]
    basic = tuple([rule for rule in found if rule.basic])
    return Plan(
        names=tuple([rule.name for rule in found]),
        basic=basic,
        others=tuple([rule for rule in found if not rule.basic]),
        groups=_groups(found),
        basic_groups=_groups(basic),
        fixed=frozenset([rule.name for rule in found if not rule.tiered]),
    )


def stacked(order: Order, context: Context, plan: Plan, most: int) -> Sum:
    """Points of an order by the rules of a plan in its context, at most `most`."""
    basket = Basket(order, context)
    parts = dict[str, Part]()
    _judge(plan.basic, basket, parts)
    _one_of_each(plan.basic_groups, parts)
    if plan.others:
        basket.count([(rule.points, parts[rule.name].raw) for rule in plan.basic if parts[rule.name].points])
        _judge(plan.others, basket, parts)
        _one_of_each(plan.groups, parts)
    found = tuple([parts[name] for name in plan.names])
    return Sum(summed(found, context, plan, most), found)


def summed(parts: Sequence[Part], context: Context, plan: Plan, most: int) -> int:
    """What the parts of an order's rules come to: the tier multiplies what tiered ones brought, all within its room."""
    tiered = fixed = 0
    for part in parts:
        if part.rule in plan.fixed:
            fixed += part.points
        else:
            tiered += part.points
    return min(tiered * context.percent // 100 + fixed, most if context.room is None else context.room)


def _groups(rules: Sequence[OrderRule]) -> Groups:
    """The exclusive groups: the highest priority first, the earlier one where they are equal."""
    found: dict[str, list[OrderRule]] = {}
    for rule in sorted(rules, key=lambda rule: -rule.priority):
        if rule.group:
            found.setdefault(rule.group, []).append(rule)
    return tuple(map(tuple, found.values()))


def _judge(rules: Sequence[OrderRule], basket: Basket, parts: dict[str, Part]) -> None:
    """Enter what each of these rules brings, within its cap."""
    context = basket.context
    for rule in rules:
        name, why = rule.name, rule.failed(context)
        raw = 0 if why else rule.points(basket)
        if not raw:
            parts[name] = Part(name, 0, 0, why or rule.why_nothing(basket))
        elif rule.cap is not None and raw > (room := context.rooms.get(name, raw)):
            parts[name] = Part(name, room, raw, "capped")
        else:
            parts[name] = Part(name, raw, raw)


def _one_of_each(groups: Groups, parts: dict[str, Part]) -> None:
    """Take from all but the best of each exclusive group what they brought."""
    for group in groups:
        bringing = [rule.name for rule in group if parts[rule.name].points]
        for name in bringing[1:]:
            parts[name] = Part(name, 0, parts[name].raw, f"beaten_by:{bringing[0]}")
