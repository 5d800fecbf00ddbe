"""The earning rules: one file each, and one line here."""

from typing import TYPE_CHECKING, Union

from services.loyalty.rules.base import LineFilter, Rule
from services.loyalty.rules.spend import Spend

RULES: tuple[type[Rule], ...] = (Spend,)

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Union[RULES]  # noqa: UP007 - a union made of a list, so that a new rule is one line

__all__ = ["RULES", "AnyRule", "LineFilter", "Rule"]
