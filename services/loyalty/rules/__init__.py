"""The earning rules: one file each, and one line here."""

from typing import TYPE_CHECKING, Union

from services.loyalty.rules.activity import Activity, Review, Survey
from services.loyalty.rules.base import Base, Cap, DateRule, FactRule, LineFilter, OrderRule, Rule
from services.loyalty.rules.dates import Anniversary, Birthday
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.multiplier import Multiplier
from services.loyalty.rules.profile import Newsletter, Profile
from services.loyalty.rules.spend import Spend

RULES: tuple[type[Rule], ...] = (
    Spend,
    Multiplier,
    FirstOrder,
    Activity,
    Review,
    Survey,
    Profile,
    Newsletter,
    Birthday,
    Anniversary,
)

if TYPE_CHECKING:
    AnyRule = Rule
else:
    AnyRule = Union[RULES]  # noqa: UP007 - a union made of a list, so that a new rule is one line

__all__ = ["RULES", "AnyRule", "Base", "Cap", "DateRule", "FactRule", "FirstOrder", "LineFilter", "OrderRule", "Rule"]
