"""What caps leave a member: how much a rule has given in a period, and what room there is still."""

from services.loyalty import terms
from services.loyalty.records import Member, Use
from services.loyalty.rules import Cap

KEPT_PERIODS = 3


def room(member: Member, name: str, cap: Cap, day: int) -> int | None:
    """Points that a cap leaves on a local day; None for no limit of points."""
    used = _used(member.uses, name, terms.period_start(day, cap.per))
    if cap.times is not None and used.times >= cap.times:
        return 0
    return None if cap.points is None else max(0, cap.points - used.points)


def used(uses: tuple[Use, ...], name: str, cap: Cap, day: int, points: int) -> tuple[Use, ...]:
    """The uses with one more award of so many points; of a rule the latest periods are kept."""
    before = _used(uses, name, terms.period_start(day, cap.per))
    after = Use(name, before.period, before.points + points, before.times + 1)
    own = [use for use in uses if use.rule == name and use.period != after.period]
    own.sort(key=lambda use: -use.period)
    return (*[use for use in uses if use.rule != name], *own[: KEPT_PERIODS - 1], after)


def joined(one: tuple[Use, ...], other: tuple[Use, ...]) -> tuple[Use, ...]:
    """The uses of two members who turn out to be one."""
    sums: dict[tuple[str, int], Use] = {}
    for use in (*one, *other):
        before = sums.get((use.rule, use.period), Use(use.rule, use.period, 0, 0))
        sums[use.rule, use.period] = Use(use.rule, use.period, before.points + use.points, before.times + use.times)
    return tuple(sums.values())


def _used(uses: tuple[Use, ...], name: str, period: int) -> Use:
    for use in uses:
        if use.rule == name and use.period == period:
            return use
    return Use(name, period, 0, 0)
