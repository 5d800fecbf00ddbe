"""The earning rules: one file each, and one line here."""

from importlib import import_module
from typing import TYPE_CHECKING, Union

from services.loyalty.rules.base import Cap, DateRule, FactRule, OrderRule, Rule, Word
from services.loyalty.rules.basket import Basket, LineFilter
from services.loyalty.rules.first_order import FirstOrder

FILES = (
    "spend",
    "multiplier",
    "first_order",
    "activity",
    "profile",
    "dates",
    "friends_third_order",
)


def _rules_in(file: str) -> list[type[Rule]]:
    """The rules that a file defines, in the order in which they stand there."""
    module = import_module(f"{__name__}.{file}")
    found = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    return [each for each in found if issubclass(each, Rule)]


RULES: tuple[type[Rule], ...] = tuple(rule for file in FILES for rule in _rules_in(file))

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Union[RULES]  # noqa: UP007 - a union made of a list, so that a new rule is one line

__all__ = [
    "RULES",
    "AnyRule",
    "Basket",
    "Cap",
    "DateRule",
    "FactRule",
    "FirstOrder",
    "LineFilter",
    "OrderRule",
    "Rule",
    "Word",
]
