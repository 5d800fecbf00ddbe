"""What an earning rule is: its conditions, its place among the others, and what it is asked."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from services.loyalty.holders import MAIN
from services.loyalty.records import Context, Member
from services.loyalty.rules.basket import Basket
from services.loyalty.rules.window import Window
from shared.events import Event, Fact

Points = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Word = Annotated[str, msgspec.Meta(max_length=80)]


class Cap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most so many points, or so many awards, for each member in each day, week, month, year, or ever."""

    points: Points | None = None
    times: Annotated[int, msgspec.Meta(ge=1, le=10**6)] | None = None
    per: Literal["day", "week", "month", "year", "ever"] = "ever"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="rule"):
    """A rule says what earns how many points, as a pure function; it never sees a database.

    Conditions: a window of time, tiers, segments. Of the rules with the same `group` that bring anything only the one
    of the highest `priority` counts, the earlier one where they are equal. `cap` limits it for each member; `texts`
    say by language what a member reads of it in the history, where `words`, our own, will not do. Its points go into
    `wallet`.
    """

    name: Word = ""
    priority: int = 0
    group: Word = ""
    window: Window | None = None
    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    without_segments: frozenset[str] = frozenset()
    cap: Cap | None = None
    wallet: Word = MAIN
    texts: Mapping[str, str] = msgspec.field(default_factory=dict)

    on: ClassVar[tuple[type[Fact], ...]] = ()
    words: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        """A rule without a name goes by its kind."""
        if not self.name:
            msgspec.structs.force_setattr(self, "name", str(self.__struct_config__.tag))

    def failed(self, context: Context) -> str:
        """The first condition that does not hold, in one word; '' when all do."""
        if self.window is not None and not self.window.holds(context.zone, context.accrued_at):
            return "outside_window"
        if self.tiers and context.tier not in self.tiers:
            return "other_tier"
        if self.segments and self.segments.isdisjoint(context.segments):
            return "other_segment"
        if self.without_segments and not self.without_segments.isdisjoint(context.segments):
            return "excluded_segment"
        return ""


class OrderRule(Rule, frozen=True, kw_only=True):
    """A rule about orders. What `tiered` rules bring is multiplied by the tier, what others bring is not."""

    tiered: ClassVar[bool] = True
    basic: ClassVar[bool] = False

    def points(self, basket: Basket) -> int:
        """Points before the tier's multiplier, never negative; of the order's lines only those that the basket has."""
        raise NotImplementedError

    def why_nothing(self, basket: Basket) -> str:
        """Why it brings nothing though its conditions hold."""
        return "below_one_step" if basket.order.lines else "nothing_matches"


class FactRule(Rule, frozen=True, kw_only=True):
    """A rule about something that a fact in `on` tells: so many `points` at once, or after `pending_days`."""

    points: Points
    pending_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 0

    def earns(self, fact: Any, context: Context) -> int:
        """Points for a fact of a type in `on`; 0 when it is none of its."""
        raise NotImplementedError

    def key(self, event: Event[Any]) -> str:
        """What it pays for once: two facts with one key bring one award."""
        return str(event.id)


class DateRule(Rule, frozen=True, kw_only=True):
    """A rule about a day that comes every year; who was born on 29 February has it on `leap` in common years."""

    points: Points
    pending_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 0
    leap: Literal["02-28", "03-01"] = "02-28"

    def date_of(self, member: Member, zone: str) -> str:
        """The member's day as MM-DD; '' for none."""
        raise NotImplementedError

    def since(self, member: Member, zone: str) -> int:
        """The first local day (ordinal) on which it may be paid."""
        raise NotImplementedError
